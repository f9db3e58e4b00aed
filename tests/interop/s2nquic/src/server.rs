//! The accepting side: each stream begins with a line that says what to do with it.

use std::sync::Arc;

use bytes::Bytes;
use s2n_quic::provider::tls::s2n_tls::Server as Tls;
use s2n_quic::stream::{BidirectionalStream, Error, ReceiveStream, SendStream};
use s2n_quic::{Connection, Server};
use tokio::sync::Notify;

use crate::options::Options;
use crate::provider::{Ear, OneName, ResetTokens, Retry};
use crate::streams::{Tally, broken, pattern, receive_all, send_pattern};
use crate::{Outcome, say};

/// The largest head of a stream.
const HEAD_BYTES_MAX: usize = 64;
/// What a stream that is sent on until the peer has enough of it hands over in one step.
const ENDLESS_BYTES: usize = 16_384;

fn tls(options: &Options) -> Outcome<Tls> {
    let mut builder = Tls::builder();
    builder.config_mut().set_security_policy(&s2n_tls::security::DEFAULT_PQ)?;
    let mut builder = builder
        .with_application_protocols(options.alpn()?)?
        .with_certificate(options.file("chain")?.unwrap_or_default(), options.file("key")?.unwrap_or_default())?
        .with_empty_trust_store()?;
    if let Some(roots) = options.file("client_ca")? {
        let name = options.get("client_name").unwrap_or_default().into();
        builder = builder
            .with_trusted_certificate(roots)?
            .with_client_authentication()?
            .with_verify_host_name_callback(OneName(name))?;
    }
    Ok(builder.build()?)
}

/// Serves until the process is ended.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let mut server = Server::builder()
        .with_tls(tls(options)?)?
        .with_io(options.need("listen")?)?
        .with_limits(options.limits()?)?
        .with_endpoint_limits(Retry(options.get("retry").is_some()))?
        .with_stateless_reset_token(ResetTokens::new(options.need("reset_key")?))?
        .with_event(Ear::new("note closed"))?
        .start()?;
    say(&format!("listening {}", server.local_addr()?));
    while let Some(connection) = server.accept().await {
        tokio::spawn(serve(connection));
    }
    Ok(())
}

async fn serve(mut connection: Connection) {
    say("note connected");
    let released = Arc::new(Notify::new());
    while let Ok(Some(stream)) = connection.accept_bidirectional_stream().await {
        let (handle, released) = (connection.handle(), released.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(stream, handle, released).await {
                say(&format!("note {}", broken(&error)));
            }
        });
    }
}

/// The stream's first line, and what came behind it.
async fn head(stream: &mut ReceiveStream) -> Result<Option<(String, Bytes)>, Error> {
    let mut begun = Vec::new();
    while let Some(data) = stream.receive().await? {
        begun.extend_from_slice(&data);
        let mut parts = begun.splitn(2, |byte| *byte == b'\n');
        if let (Some(line), Some(rest)) = (parts.next(), parts.next()) {
            let line = String::from_utf8_lossy(line).into_owned();
            return Ok(Some((line, Bytes::copy_from_slice(rest))));
        }
        if begun.len() > HEAD_BYTES_MAX {
            break;
        }
    }
    Ok(None)
}

async fn answer(
    stream: BidirectionalStream,
    connection: s2n_quic::connection::Handle,
    released: Arc<Notify>,
) -> Result<(), Error> {
    let (mut receive, mut send) = stream.split();
    let Some((line, rest)) = head(&mut receive).await? else {
        return Ok(());
    };
    say(&format!("note stream {line}"));
    let (verb, number) = line.split_once(' ').unwrap_or((&line, "0"));
    let number: u32 = number.parse().unwrap_or_default();
    match verb {
        "echo" => echo(&mut receive, &mut send, rest).await?,
        "give" => send_pattern(&mut send, usize::try_from(number).unwrap_or_default()).await?,
        "hold" => {
            released.notified().await;
            take(&mut receive, &mut send, rest).await?;
        }
        "release" => {
            released.notify_waiters();
            send.send(Bytes::from_static(b"ok")).await?;
        }
        "take" => take(&mut receive, &mut send, rest).await?,
        "reset" => return send.reset(number.into()),
        "stop" => receive.stop_sending(number.into())?,
        "await-reset" => {
            let failed = receive_all(&mut receive, &mut Tally::new()).await;
            let told = failed.err().map_or("no reset".into(), |error| broken(&error));
            send.send(told.into()).await?;
        }
        "await-stop" => endless(&mut send).await,
        "close" => connection.close(number.into()),
        _ => send.reset(1_u32.into())?,
    }
    send.close().await
}

async fn echo(receive: &mut ReceiveStream, send: &mut SendStream, rest: Bytes) -> Result<(), Error> {
    if !rest.is_empty() {
        send.send(rest).await?;
    }
    while let Some(data) = receive.receive().await? {
        send.send(data).await?;
    }
    Ok(())
}

async fn take(receive: &mut ReceiveStream, send: &mut SendStream, rest: Bytes) -> Result<(), Error> {
    let mut tally = Tally::new();
    tally.add(&rest);
    receive_all(receive, &mut tally).await?;
    send.send(tally.told().into()).await
}

/// Sends until the peer wants no more, and says with which code.
async fn endless(send: &mut SendStream) {
    loop {
        if let Err(error) = send.send(pattern(0, ENDLESS_BYTES)).await {
            return say(&format!("note stopped {}", broken(&error).replace("reset ", "")));
        }
    }
}
