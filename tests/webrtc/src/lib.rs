//! The crate `dtls` of webrtc-rs as a stack: async code for tokio that knows nothing of a simulation.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dtls::cipher_suite::CipherSuiteId;
use dtls::config::{Config, ExtendedMasterSecretType};
use dtls::conn::DTLSConn;
use webrtc_util::conn::Conn;
use windtunnel::endpoint::{Credentials, Dtls, Endpoint, EndpointConfig, EndpointEvent, Listener, Role, Session};
use windtunnel::net::{Application, AsyncHost, Command, UdpSocket};
use windtunnel::stack::{Determinism, Stack};
use windtunnel::time::SimTime;

/// A socket that is connected to one peer, as the crate wants it.
struct Connected(UdpSocket);

fn failed(error: io::Error) -> webrtc_util::Error {
    webrtc_util::Error::from_std(error)
}

#[async_trait]
impl Conn for Connected {
    async fn connect(&self, _to: SocketAddr) -> webrtc_util::Result<()> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> webrtc_util::Result<usize> {
        self.0.recv(buffer).await.map_err(failed)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> webrtc_util::Result<(usize, SocketAddr)> {
        self.0.recv_from(buffer).await.map_err(failed)
    }

    async fn send(&self, datagram: &[u8]) -> webrtc_util::Result<usize> {
        self.0.send(datagram).await.map_err(failed)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> webrtc_util::Result<usize> {
        self.0.send_to(datagram, to).await.map_err(failed)
    }

    fn local_addr(&self) -> webrtc_util::Result<SocketAddr> {
        self.0.local_addr().map_err(failed)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()
    }

    async fn close(&self) -> webrtc_util::Result<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// The crate `dtls`, with pre-shared keys.
pub struct Webrtc;

impl Stack for Webrtc {
    fn name(&self) -> &'static str {
        "webrtc-dtls"
    }

    fn version(&self) -> &'static str {
        "0.17"
    }

    fn about(&self) -> &'static str {
        "webrtc-rs, DTLS 1.2 for tokio, on a paused clock"
    }

    fn determinism(&self) -> Determinism {
        Determinism::TokioMs
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        if config.dtls != Dtls::V12 {
            return Some(format!("does not speak {}", config.dtls));
        }
        if !matches!(config.credentials, Credentials::Psk { ecdhe: false, .. }) {
            return Some("flies with pre-shared keys here".to_owned());
        }
        if config.role == Role::Server && !config.cookie {
            return Some("its server always sends a HelloVerifyRequest".to_owned());
        }
        if let Some(feature) = config.features.asked().first() {
            return Some(format!("has no {feature} here"));
        }
        let is_set = !config.groups.is_empty() || config.timer_max.is_some() || config.give_up.is_some();
        is_set.then(|| "has no choice of groups, and no end of its timer".to_owned())
    }

    fn client(
        &self,
        config: &EndpointConfig,
        _session: Option<&Session>,
        now: SimTime,
        _entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        build(config, config.peer, now)
    }

    fn listen(&self, config: &EndpointConfig, _entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        Ok(Box::new(Server(config.clone())))
    }
}

/// One connection for each client's address.
struct Server(EndpointConfig);

impl Listener for Server {
    fn accept(&mut self, now: SimTime, peer: SocketAddr) -> Result<Box<dyn Endpoint>, String> {
        build(&self.0, peer, now)
    }
}

fn build(config: &EndpointConfig, peer: SocketAddr, now: SimTime) -> Result<Box<dyn Endpoint>, String> {
    let Credentials::Psk { identity, key, .. } = &config.credentials else {
        return Err("flies with pre-shared keys here".to_owned());
    };
    let key = key.clone();
    let mut suites: Vec<CipherSuiteId> = Vec::new();
    for name in &config.suites {
        suites.push(match name.as_str() {
            "PSK_WITH_AES_128_GCM_SHA256" => CipherSuiteId::Tls_Psk_With_Aes_128_Gcm_Sha256,
            "PSK_WITH_AES_128_CCM" => CipherSuiteId::Tls_Psk_With_Aes_128_Ccm,
            "PSK_WITH_AES_128_CCM_8" => CipherSuiteId::Tls_Psk_With_Aes_128_Ccm_8,
            other => return Err(format!("has no cipher suite {other}")),
        });
    }
    if suites.is_empty() {
        suites.push(CipherSuiteId::Tls_Psk_With_Aes_128_Gcm_Sha256);
        suites.push(CipherSuiteId::Tls_Psk_With_Aes_128_Ccm_8);
    }
    let inner = Config {
        cipher_suites: suites,
        extended_master_secret: ExtendedMasterSecretType::Request,
        flight_interval: config.timer_initial.unwrap_or(Duration::ZERO),
        mtu: config.mtu.into(),
        psk: Some(Arc::new(move |_| {
            let key = key.clone();
            Box::pin(async move { Ok(key) })
        })),
        psk_identity_hint: Some(identity.clone()),
        ..Config::default()
    };
    let is_client = config.role == Role::Client;
    let application = move |socket: UdpSocket, mut side: Application| async move {
        let socket = Arc::new(Connected(socket.connected(peer)));
        match DTLSConn::new(socket, inner, is_client, None).await {
            Ok(connection) => serve(connection, &mut side).await,
            Err(error) => side.report(EndpointEvent::Failed(error.to_string())),
        }
    };
    Ok(Box::new(AsyncHost::new(config.local, now, application)?))
}

async fn serve(connection: DTLSConn, side: &mut Application) {
    side.report(EndpointEvent::Established { suite: String::new() });
    let mut buffer = vec![0; 1 << 14];
    loop {
        tokio::select! {
            read = connection.read(&mut buffer, None) => match read {
                Ok(len) => side.report(EndpointEvent::Data(buffer[..len].to_vec())),
                // Its reader ends when the peer closes, and says so by an error alone.
                Err(_) => return side.report(EndpointEvent::PeerClosed),
            },
            command = side.command() => match command {
                Some(Command::Send(data)) => {
                    if let Err(error) = connection.write(&data, None).await {
                        side.report(EndpointEvent::SendRefused(error.to_string()));
                    }
                }
                Some(Command::Close) | None => {
                    let _ = connection.close().await;
                    return;
                }
            },
        }
    }
}
