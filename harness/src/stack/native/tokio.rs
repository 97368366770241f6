//! The tokio driver of `dtls-impl` as a stack: the streams and the listener that applications use, unchanged, on the
//! simulated network.

use std::sync::Arc;

use dtls_impl::tokio::{Limits, Listener as DtlsListener, Stream};

use super::settings::{self, Config, server_name};
use super::{Determinism, Draws, Native, Stack};
use crate::endpoint::{Endpoint, EndpointConfig, EndpointEvent, Listener, Role, Session};
use crate::net::{Application, AsyncHost, Command, UdpSocket};
use crate::stack::listener::Separate;
use crate::stack::options::features_refused;
use crate::time::SimTime;

/// `dtls-impl` behind its tokio driver.
pub(in crate::stack) struct NativeTokio;

impl Stack for NativeTokio {
    fn name(&self) -> &'static str {
        "native-tokio"
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn about(&self) -> &'static str {
        "dtls-impl behind its tokio driver, on a paused clock"
    }

    fn determinism(&self) -> Determinism {
        // The driver draws its seeds from the system, as it has to over real sockets.
        Determinism::TokioMs
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        features_refused(config, &[]).or_else(|| Native::HONEST.unsupported(config))
    }

    fn client(
        &self,
        config: &EndpointConfig,
        session: Option<&Session>,
        now: SimTime,
        _entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        if session.is_some() {
            return Err("resumes no sessions here".to_owned());
        }
        let Config::Client(mut inner) = Config::defaults(config)? else {
            return Err("was told to be a server".to_owned());
        };
        settings::apply(config, None, &mut inner.common);
        settings::apply_client(config, &mut inner)?;
        let (inner, name, peer) = (Arc::new(inner), server_name(config)?, config.peer);
        let application = move |socket: UdpSocket, mut side: Application| async move {
            match Stream::over(socket, peer, inner, name.as_deref(), None).await {
                Ok(stream) => serve(stream, &mut side).await,
                Err(error) => side.report(EndpointEvent::Failed(error.to_string())),
            }
        };
        Ok(Box::new(AsyncHost::new(config.local, now, application)?))
    }

    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        Ok(Box::new(Separate::new(config, entropy, build_server)))
    }
}

fn build_server(config: &EndpointConfig, now: SimTime, entropy: [u8; 32]) -> Result<Box<dyn Endpoint>, String> {
    debug_assert_eq!(config.role, Role::Server);
    let Config::Server(mut inner) = Config::defaults(config)? else {
        return Err("was told to be a client".to_owned());
    };
    settings::apply(config, None, &mut inner.common);
    let mut draws = Draws::new(entropy);
    settings::apply_server(config, &mut inner, || draws.next())?;
    let inner = Arc::new(inner);
    let application = move |socket: UdpSocket, mut side: Application| async move {
        let mut listener = match DtlsListener::with_socket(socket, inner, Limits::default()) {
            Ok(listener) => listener,
            Err(error) => return side.report(EndpointEvent::Failed(error.to_string())),
        };
        while let Some(stream) = listener.accept().await {
            serve(stream, &mut side).await;
        }
    };
    Ok(Box::new(AsyncHost::new(config.local, now, application)?))
}

/// What an application does with a stream: all that arrives is reported, all that is asked for is sent.
async fn serve(mut stream: Stream, side: &mut Application) {
    let suite = settings::suite_name(stream.negotiated().suite);
    side.report(EndpointEvent::Established { suite });
    loop {
        tokio::select! {
            received = stream.recv() => match received {
                Ok(Some(data)) => side.report(EndpointEvent::Data(data)),
                Ok(None) => return side.report(EndpointEvent::PeerClosed),
                Err(error) => return side.report(EndpointEvent::Failed(error.to_string())),
            },
            command = side.command() => match command {
                Some(Command::Send(data)) => {
                    if let Err(error) = stream.send(&data).await {
                        side.report(EndpointEvent::SendRefused(error.to_string()));
                    }
                }
                Some(Command::Close) | None => {
                    // What is lost on the way is the network's doing.
                    let _ = stream.close().await;
                    return;
                }
            },
        }
    }
}
