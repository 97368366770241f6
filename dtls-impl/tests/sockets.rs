//! The tokio driver over loopback sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dtls_impl::config::{
    ClientCredentials, ConnectionId, Cookies, Psk, ServerCredentials, TicketKeys, Tickets, Timers, UnknownIdentity,
    Versions,
};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::tokio::{Error, Limits, Listener, ResumeOptions, Stream};
use dtls_impl::wire::ProtocolVersion;
use dtls_impl::{ClientConfig, ServerConfig};
use tokio::net::UdpSocket;

fn configs(versions: Versions) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let key = Secret::new(vec![9; 16]);
    let client = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: key.clone() });
    let keys = BTreeMap::from([(b"device".to_vec(), key)]);
    let server = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
    let cookies = Cookies::Required { secret: Secret::new(vec![7; 32]) };
    let mut client = ClientConfig::new(rustcrypto::provider(), client);
    let mut server = ServerConfig::new(rustcrypto::provider(), server, cookies);
    server.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
    for common in [&mut client.common, &mut server.common] {
        common.versions = versions;
        common.timers = Timers { initial: Duration::from_millis(50), ..Timers::default() };
    }
    (Arc::new(client), Arc::new(server))
}

/// A listener whose clients hear back what they say.
async fn echo(server: Arc<ServerConfig>, limits: Limits) -> std::net::SocketAddr {
    let mut listener = Listener::bind("127.0.0.1:0", server, limits).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(mut stream) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(Some(data)) = stream.recv().await {
                    if stream.send(&data).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn data_comes_back_and_both_ends_agree_on_keys() {
    for (versions, expected) in
        [(Versions::Dtls12, ProtocolVersion::DTLS1_2), (Versions::Dtls13, ProtocolVersion::DTLS1_3)]
    {
        let (client, server) = configs(versions);
        let mut listener = Listener::bind("127.0.0.1:0", server, Limits::default()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(Stream::connect(address, client, None), listener.accept());
        let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(ours.negotiated().version, expected);
        ours.send(b"ping").await.unwrap();
        assert_eq!(theirs.recv().await.unwrap().as_deref(), Some(&b"ping"[..]));
        theirs.send(b"pong").await.unwrap();
        assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b"pong"[..]));
        let export = |stream: Stream| async move {
            let out = stream.export_keying_material(b"EXPORTER-test", None, 32).await.unwrap();
            (stream, out)
        };
        let ((ours, one), (mut theirs, other)) = (export(ours).await, export(theirs).await);
        assert_eq!(one, other);
        ours.close().await.unwrap();
        assert_eq!(theirs.recv().await.unwrap(), None, "closed by the peer");
        assert!(matches!(theirs.send(b"late").await, Err(Error::Closed)));
    }
}

/// A client that lost its state comes back from the same socket: it is accepted as a new one, and the stream before it
/// ends.
#[tokio::test]
async fn a_client_that_lost_its_state_is_accepted_anew() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        let (client, server) = configs(versions);
        let mut listener = Listener::bind("127.0.0.1:0", server, Limits::default()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        own.set_nonblocking(true).unwrap();
        let socket = own.try_clone().unwrap();
        let config = Arc::clone(&client);
        // A runtime that goes takes its tasks with it, and they do not get to say goodbye.
        let first = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = UdpSocket::from_std(socket).unwrap();
                let stream = Stream::over(socket, address, config, None, None).await.unwrap();
                stream.send(b"before").await.unwrap();
                std::mem::forget(stream);
            });
        });
        let mut before = listener.accept().await.unwrap();
        assert_eq!(before.recv().await.unwrap().as_deref(), Some(&b"before"[..]));
        first.await.unwrap();
        let connect = Stream::over(UdpSocket::from_std(own).unwrap(), address, client, None, None);
        let (second, accepted) = tokio::join!(connect, listener.accept());
        let (mut second, mut after) = (second.unwrap(), accepted.unwrap());
        assert!(matches!(before.recv().await, Err(Error::Restarted)));
        assert!(matches!(before.send(b"late").await, Err(Error::Closed)));
        drop(before);
        second.send(b"after").await.unwrap();
        assert_eq!(after.recv().await.unwrap().as_deref(), Some(&b"after"[..]));
        after.send(b"back").await.unwrap();
        assert_eq!(second.recv().await.unwrap().as_deref(), Some(&b"back"[..]));
    }
}

#[tokio::test]
async fn fifty_clients_share_a_socket() {
    let (client, server) = configs(Versions::Dtls13);
    let address = echo(server, Limits::default()).await;
    let clients = (0..50u8).map(|nth| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            let mut stream = Stream::connect(address, client, None).await.unwrap();
            for _ in 0..3 {
                stream.send(&[nth; 10]).await.unwrap();
                assert_eq!(stream.recv().await.unwrap(), Some(vec![nth; 10]));
            }
            stream.close().await.unwrap();
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn a_session_is_resumed() {
    let (client, server) = configs(Versions::Dtls13);
    let address = echo(server, Limits::default()).await;
    let mut first = Stream::connect(address, Arc::clone(&client), None).await.unwrap();
    first.send(b"x").await.unwrap();
    first.recv().await.unwrap();
    // The ticket was sent before the echo, but nothing says which arrives first.
    while first.session().is_none() {
        first.send(b"x").await.unwrap();
        first.recv().await.unwrap();
    }
    let session = first.session().cloned().unwrap();
    first.close().await.unwrap();
    let mut second = Stream::resume(address, client, None, ResumeOptions { session }).await.unwrap();
    assert!(second.negotiated().resumed);
    second.send(b"again").await.unwrap();
    assert_eq!(second.recv().await.unwrap().as_deref(), Some(&b"again"[..]));
}

/// Passes datagrams on, but for every third.
async fn lossy_proxy(server: std::net::SocketAddr) -> std::net::SocketAddr {
    let (front, back) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut ahead, mut behind) = (vec![0; 65_535], vec![0; 65_535]);
        let (mut client, mut count) = (None, 0);
        loop {
            tokio::select! {
                Ok((len, from)) = front.recv_from(&mut ahead) => {
                    client = Some(from);
                    count += 1;
                    if count % 3 != 0 {
                        let _ = back.send_to(&ahead[..len], server).await;
                    }
                }
                Ok((len, _)) = back.recv_from(&mut behind) => {
                    count += 1;
                    if let Some(client) = client.filter(|_| count % 3 != 0) {
                        let _ = front.send_to(&behind[..len], client).await;
                    }
                }
                else => return,
            }
        }
    });
    address
}

#[tokio::test]
async fn timers_run_while_the_application_only_waits() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let (client, server) = configs(versions);
        let address = lossy_proxy(echo(server, Limits::default()).await).await;
        let stream = Stream::connect(address, client, None).await.unwrap();
        assert!(stream.negotiated().suite.to_string().starts_with("TLS_"));
    }
}

#[tokio::test]
async fn a_full_listener_does_not_answer_and_a_wrong_key_is_an_error() {
    let (client, server) = configs(Versions::Dtls13);
    let address = echo(Arc::clone(&server), Limits { connections: 1, ..Limits::default() }).await;
    let mut first = Stream::connect(address, Arc::clone(&client), None).await.unwrap();
    let mut hasty = (*client).clone();
    hasty.common.timers.give_up = Duration::from_millis(300);
    let second = Stream::connect(address, Arc::new(hasty), None).await;
    assert!(matches!(second, Err(Error::Dtls(dtls_impl::Error::TimedOut))), "{second:?}");
    first.send(b"still here").await.unwrap();
    assert_eq!(first.recv().await.unwrap().as_deref(), Some(&b"still here"[..]));

    let address = echo(server, Limits::default()).await;
    let mut wrong = (*client).clone();
    wrong.credentials = ClientCredentials::Psk(Psk { identity: b"stranger".to_vec(), key: Secret::new(vec![1; 16]) });
    let refused = Stream::connect(address, Arc::new(wrong), None).await;
    assert!(matches!(refused, Err(Error::Dtls(dtls_impl::Error::AlertReceived(_)))), "{refused:?}");
}

#[tokio::test]
async fn junk_and_hellos_in_pieces_leave_a_listener_as_it_was() {
    let (client, server) = configs(Versions::Dtls12);
    let address = echo(server, Limits::default()).await;
    let junk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for len in 0..200 {
        junk.send_to(&vec![22; len], address).await.unwrap();
    }
    let mut stream = Stream::connect(address, client, None).await.unwrap();
    stream.send(b"x").await.unwrap();
    assert_eq!(stream.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
}

/// The first ClientHello of a client that is not there any more when it is answered.
async fn hello(client: &Arc<ClientConfig>) -> Vec<u8> {
    let listens = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = listens.local_addr().unwrap();
    let connecting = tokio::spawn(Stream::connect(address, Arc::clone(client), None));
    let mut hello = vec![0; 65_535];
    let len = listens.recv(&mut hello).await.unwrap();
    connecting.abort();
    hello.truncate(len);
    hello
}

#[tokio::test]
async fn hellos_without_a_cookie_take_no_place_of_a_client() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        let (client, server) = configs(versions);
        let hello = hello(&client).await;
        let address = echo(server, Limits { connections: 1, ..Limits::default() }).await;
        for nth in 0..100u8 {
            let forger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut forged = hello.clone();
            // The client's random.
            forged[30] = nth;
            forger.send_to(&forged, address).await.unwrap();
            // Another that is cut: only its first record's length is wrong then.
            forger.send_to(&hello[..hello.len() - 1], address).await.unwrap();
            if nth % 10 == 0 {
                let mut answer = vec![0; 65_535];
                let len = forger.recv(&mut answer).await.unwrap();
                assert!(len < hello.len(), "{len} bytes for {}", hello.len());
            }
        }
        let mut stream = Stream::connect(address, client, None).await.unwrap();
        stream.send(b"x").await.unwrap();
        assert_eq!(stream.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
    }
}

#[tokio::test]
async fn a_dropped_stream_closes_and_leaves_its_place_to_the_next() {
    let (client, server) = configs(Versions::Dtls13);
    let limits = Limits { connections: 1, ..Limits::default() };
    let mut listener = Listener::bind("127.0.0.1:0", server, limits).await.unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..3 {
        let (ours, theirs) = tokio::join!(Stream::connect(address, Arc::clone(&client), None), listener.accept());
        drop(theirs);
        let mut ours = ours.unwrap();
        assert_eq!(ours.recv().await.unwrap(), None, "close_notify");
    }
    drop(listener);
    let mut hasty = (*client).clone();
    hasty.common.timers.give_up = Duration::from_millis(300);
    let late = Stream::connect(address, Arc::new(hasty), None).await;
    assert!(late.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_slow_reader_loses_data_but_not_the_end() {
    let (client, server) = configs(Versions::Dtls12);
    let limits = Limits { queue: 4, ..Limits::default() };
    let mut listener = Listener::bind("127.0.0.1:0", server, limits).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(Stream::connect(address, client, None), listener.accept());
    let (ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    for nth in 0..20u8 {
        ours.send(&[nth]).await.unwrap();
    }
    ours.close().await.unwrap();
    // The end has arrived when nothing can be sent any more.
    while theirs.send(b"?").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut received = Vec::new();
    while let Some(data) = theirs.recv().await.unwrap() {
        received.extend(data);
    }
    assert_eq!(received, [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_client_keeps_its_own_socket() {
    let (client, server) = configs(Versions::Both);
    let mut listener = Listener::bind("127.0.0.1:0", server, Limits::default()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(Stream::over(socket, address, client, None, None), listener.accept());
    assert_eq!(ours.unwrap().peer_addr(), address);
    assert_eq!(theirs.unwrap().peer_addr(), own);
}

/// Passes datagrams on, and from another address of its own after it is told so.
async fn rebinding_proxy(server: std::net::SocketAddr) -> std::net::SocketAddr {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (mut ahead, mut behind) = (vec![0; 65_535], vec![0; 65_535]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((len, from)) = front.recv_from(&mut ahead) => {
                    if &ahead[..len] == b"rebind" {
                        back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                        continue;
                    }
                    client = Some(from);
                    let _ = back.send_to(&ahead[..len], server).await;
                }
                Ok((len, _)) = back.recv_from(&mut behind) => {
                    if let Some(client) = client {
                        let _ = front.send_to(&behind[..len], client).await;
                    }
                }
                else => return,
            }
        }
    });
    address
}

#[tokio::test]
async fn connections_with_ids_outlive_the_address_of_the_client() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let (client, server) = configs(versions);
        let (mut client, mut server) = ((*client).clone(), (*server).clone());
        client.common.connection_id = ConnectionId::Use(Vec::new());
        server.common.connection_id = ConnectionId::Random { len: 8 };
        if let Some(check) = &mut server.common.return_routability {
            check.timeout = Some(Duration::from_millis(100));
        }
        let server_address = echo(Arc::new(server), Limits::default()).await;
        let address = rebinding_proxy(server_address).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut stream = Stream::over(socket, address, Arc::new(client), None, None).await.unwrap();
        stream.send(b"here").await.unwrap();
        assert_eq!(stream.recv().await.unwrap().as_deref(), Some(&b"here"[..]));
        let tell = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        tell.send_to(b"rebind", address).await.unwrap();
        // Echoes go to the old address, and are lost, until the new one is checked.
        loop {
            stream.send(b"there").await.unwrap();
            match tokio::time::timeout(Duration::from_millis(20), stream.recv()).await {
                Ok(data) => break assert_eq!(data.unwrap().as_deref(), Some(&b"there"[..])),
                Err(_) => continue,
            }
        }
    }
}

#[tokio::test]
async fn one_connection_id_for_all_clients_is_refused() {
    let (_, server) = configs(Versions::Dtls13);
    let mut server = (*server).clone();
    server.common.connection_id = ConnectionId::Use(b"one".to_vec());
    let refused = Listener::bind("127.0.0.1:0", Arc::new(server), Limits::default()).await;
    assert!(matches!(refused, Err(Error::Dtls(_))), "{refused:?}");
}
