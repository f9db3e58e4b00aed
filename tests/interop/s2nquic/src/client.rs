//! The opening side: one connection, on which a test has streams opened by lines on standard input.

use std::collections::HashMap;
use std::net::SocketAddr;

use s2n_quic::client::{Client, Connect};
use s2n_quic::connection::Handle;
use s2n_quic::provider::tls::s2n_tls::Client as Tls;
use s2n_quic::stream::{Error, ReceiveStream, SendStream};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::oneshot;

use crate::options::Options;
use crate::provider::Ear;
use crate::streams::{Tally, broken, ended, receive_all, send_pattern};
use crate::{Outcome, say};

fn tls(options: &Options) -> Outcome<Tls> {
    let mut builder = Tls::builder();
    let policy = match options.need("policy")? {
        "pq" => &s2n_tls::security::DEFAULT_PQ,
        _ => &s2n_tls::security::DEFAULT_TLS13,
    };
    builder.config_mut().set_security_policy(policy)?;
    let mut builder = builder
        .with_application_protocols(options.alpn()?)?
        .with_empty_trust_store()?
        .with_certificate(options.file("ca")?.unwrap_or_default())?;
    if let (Some(chain), Some(key)) = (options.file("chain")?, options.file("key")?) {
        builder = builder.with_client_identity(chain, key)?;
    }
    Ok(builder.build()?)
}

/// Connects and does what it is told until standard input ends.
pub(crate) async fn run(options: &Options) -> Outcome<()> {
    let client = Client::builder()
        .with_tls(tls(options)?)?
        .with_io("127.0.0.1:0")?
        .with_limits(options.limits()?)?
        .with_event(Ear::new("closed"))?
        .start()?;
    let to: SocketAddr = options.need("to")?.parse()?;
    let connect = Connect::new(to).with_server_name(options.need("name")?);
    let connection = match client.connect(connect).await {
        Ok(connection) => connection,
        Err(error) => {
            say(&format!("refused {}", ended(&error)));
            return Ok(());
        }
    };
    let alpn = connection.application_protocol()?;
    say(&format!("connected {}", String::from_utf8_lossy(&alpn)));
    obey(connection.handle()).await
}

/// `open NUMBER SIZE FIN|reset CODE|stop CODE|wait HEAD`, `go NUMBER`, `close CODE`.
async fn obey(handle: Handle) -> Outcome<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut waiting: HashMap<String, oneshot::Sender<()>> = HashMap::new();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        match words.as_slice() {
            ["open", number, size, how, code, head] => {
                let (go, gone) = oneshot::channel();
                let wish = Wish {
                    number: String::from(*number),
                    size: size.parse()?,
                    how: String::from(*how),
                    code: code.parse()?,
                    head: format!("{head}\n"),
                };
                if matches!(*how, "wait" | "reset") {
                    waiting.insert(wish.number.clone(), go);
                }
                tokio::spawn(exchange(handle.clone(), wish, gone));
            }
            ["go", number] => {
                if let Some(go) = waiting.remove(*number) {
                    let _ = go.send(());
                }
            }
            ["close", code] => handle.close(code.parse::<u32>()?.into()),
            _ => return Err(format!("not understood: {line}").into()),
        }
    }
    Ok(())
}

struct Wish {
    number: String,
    size: usize,
    how: String,
    code: u32,
    head: String,
}

/// One stream from its beginning to its end: `done NUMBER SENT | RECEIVED`.
async fn exchange(mut handle: Handle, wish: Wish, go: oneshot::Receiver<()>) {
    let number = wish.number.clone();
    let (sent, received) = match handle.open_bidirectional_stream().await {
        Err(error) => (format!("closed {}", ended(&error)), format!("closed {}", ended(&error))),
        Ok(stream) => {
            let (receive, send) = stream.split();
            if wish.how == "reset" {
                tokio::join!(sending(send, &wish, Some(go)), receiving(receive, &wish, None))
            } else {
                tokio::join!(sending(send, &wish, None), receiving(receive, &wish, Some(go)))
            }
        }
    };
    say(&format!("done {number} {sent} | {received}"));
}

async fn sending(mut send: SendStream, wish: &Wish, go: Option<oneshot::Receiver<()>>) -> String {
    let done: Result<(), Error> = async {
        send.send(wish.head.clone().into()).await?;
        send_pattern(&mut send, wish.size).await?;
        match wish.how.as_str() {
            "reset" => {
                if let Some(go) = go {
                    let _ = go.await;
                }
                send.reset(wish.code.into())
            }
            _ => send.close().await,
        }
    }
    .await;
    done.map_or_else(|error| broken(&error).replace("reset", "stopped"), |()| "ok".into())
}

async fn receiving(mut receive: ReceiveStream, wish: &Wish, go: Option<oneshot::Receiver<()>>) -> String {
    if let ("wait", Some(go)) = (wish.how.as_str(), go) {
        let _ = go.await;
    }
    let mut tally = Tally::new();
    if wish.how == "stop" {
        while tally.count() == 0 {
            match receive.receive().await {
                Ok(Some(data)) => tally.add(&data),
                Ok(None) => break,
                Err(error) => return broken(&error),
            }
        }
        let _ = receive.stop_sending(wish.code.into());
        return "stopped".into();
    }
    match receive_all(&mut receive, &mut tally).await {
        Ok(()) => format!("ok {}", tally.told()),
        Err(error) => broken(&error),
    }
}
