#!/bin/bash
# Images in place of a registry's, for `make compose-test` where none is reachable: Debian by debootstrap, with the real PostgreSQL,
# Redis and Prometheus of its packages, and this machine's Rust. For tests on this machine only: they hold its CA certificates.
#
#   tools/deployment/standins.sh          prints QPQ_..._IMAGE=... lines; what is there already is not made again
#
# Needs root and debootstrap. May be set: SUITE; BASE, an image with CPython 3.11 and apt; WARM, the release folder of a cargo target
# that the image's build goes on from (libraries of crates.io are not compiled again if toolchain and CARGO_HOME are the same).
set -euo pipefail
suite=${SUITE:-bookworm}
base=${BASE:-qpq-standin/base:local}
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
there() { docker image inspect "$1" >/dev/null 2>&1; }

if ! there "$base"; then
  mirror=$( (cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true) | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -1 | tr -d ' ')
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$folder/tree" "$mirror" >&2
  rm -rf "$folder"/tree/var/cache/apt/archives/*.deb "$folder"/tree/var/lib/apt/lists/* "$folder"/tree/usr/share/{doc,man,locale}/*
  install -D -m644 /etc/ssl/certs/ca-certificates.crt "$folder/tree/etc/ssl/certs/ca-certificates.crt"
  if [ -f /etc/pip.conf ]; then install -m644 /etc/pip.conf "$folder/tree/etc/pip.conf"; fi
  tar -C "$folder/tree" -c . | docker import \
    -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt LANG=C.UTF-8' \
    -c 'CMD ["python3"]' - "$base" >&2
  rm -rf "$folder/tree"
fi

if ! there qpq-standin/build:local; then
  context=$folder/build; mkdir -p "$context/rust/bin" "$context/rust/lib"
  from=$(rustc --print sysroot)
  cp "$from"/bin/{cargo,rustc} "$context/rust/bin/"
  cp -a "$from"/lib/*.so* "$context/rust/lib/"
  mkdir -p "$context/rust/lib/rustlib"; cp -a "$from/lib/rustlib/x86_64-unknown-linux-gnu" "$context/rust/lib/rustlib/"
  mkdir -p "$context/target/release/deps"
  if [ -n "${WARM:-}" ]; then
    cp -a "$WARM/.fingerprint" "$WARM/build" "$context/target/release/"
    find "$WARM/deps" -maxdepth 1 \( -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' -o -name '*.d' \) -exec cp -a -t "$context/target/release/deps" {} +
  fi
  cat >"$context/Dockerfile" <<D
FROM $base
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY rust /usr/local/rust
COPY target /usr/local/target
ENV PATH=/usr/local/rust/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} CARGO_TARGET_DIR=/usr/local/target CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-2}
D
  docker build -q -t qpq-standin/build:local "$context" >&2
  rm -rf "$context"
fi

if ! there qpq-standin/stores:local; then
  context=$folder/stores; mkdir -p "$context"
  # What the images in whose place it stands do at their start, and no more.
  cat >"$context/start" <<'S'
#!/bin/sh
set -eu
case $1 in
postgres)
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"; chmod 0700 "$PGDATA"
    # shellcheck disable=SC2086 # arguments, by definition
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS >/tmp/initdb.log
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl -w start -o "-c listen_addresses='' -c unix_socket_directories=/tmp" >/tmp/first.log
    PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE") createdb --host=/tmp --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -w stop >/tmp/first.log
  fi
  exec "$@" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql;;
-*) exec prometheus "$@";;
*) exec "$@";;
esac
S
  chmod 755 "$context/start"
  cat >"$context/Dockerfile" <<D
FROM $base
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
RUN echo 'qpq:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'qpq:x:10001:' >>/etc/group \\
 && apt-get update && apt-get install -y --no-install-recommends postgresql-15 redis-server prometheus && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 \\
 && mkdir -p /var/lib/postgresql/data /prometheus && chmod 1777 /var/lib/postgresql/data /prometheus && chmod 0755 /var/lib/postgresql
COPY start /usr/local/bin/start
ENTRYPOINT ["/usr/local/bin/start"]
D
  docker build -q -t qpq-standin/stores:local "$context" >&2
fi

cat <<L
QPQ_RUN_IMAGE=$base
QPQ_BUILD_IMAGE=qpq-standin/build:local
QPQ_POSTGRES_IMAGE=qpq-standin/stores:local
QPQ_REDIS_IMAGE=qpq-standin/stores:local
QPQ_PROMETHEUS_IMAGE=qpq-standin/stores:local
L
