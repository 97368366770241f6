//! A table of bad files, each with what is said about it: line, column, what is wrong, what would be right.

use super::tests::parse;

/// What stands in a file after its first two lines, and what is said about it. `expect` is added where it is absent.
const BAD: &[(&str, &str)] = &[
    // Keys and words.
    ("gaol: x", "3:1 unknown key `gaol`: did you mean `goal`?"),
    ("faults: [drop: {fligth: 4}]", "3:17 unknown key `fligth`: did you mean `flight`?"),
    ("faults: [dorp: {flight: 4}]", "3:10 unknown word `dorp`: did you mean `drop`?"),
    (
        "faults:\n  - drop: {flight: 4}\n    optional: true",
        "5:5 a second key in one step: each step of a list is one key; its options go inside, as `- drop: {flight: 4, attempt: 1}`",
    ),
    ("faults: {drop: {flight: 4}}", "3:9 a list should be here: write `[...]`, or one `- ...` a line"),
    ("faults: [drop: 4]", "3:16 keys with values should be here: write `{key: value}`, or the keys on indented lines"),
    ("faults: [delay: {flight: 4}]", "3:18 the key `by` is missing: add `by: ...`"),
    ("goal: again", "3:1 the key `goal` is here twice: keep one of them"),
    ("golden: maybe", "3:9 \"maybe\" is neither true nor false: write `true` or `false`"),
    ("network: {delay: [1, 2]}", "3:11 a list does not fit here: write a single value, or keys with values in braces"),
    ("network: {delay: }", "3:16 there is no value here: write one after the colon, or leave out the key"),
    ("network: {order: filo}", "3:18 unknown word `filo`: did you mean `fifo`?"),
    ("network:", "3:8 keys with values should be here: write `{key: value}`, or the keys on indented lines"),
    ("faults:\n  - drop:", "4:9 keys with values should be here: write `{key: value}`, or the keys on indented lines"),
    ("clauses: [see: RFC]", "3:11 a single value should be here: write it without brackets or braces"),
    ("clauses: see: RFC", "3:10 a list should be here: write `[...]`, or one `- ...` a line"),
    (
        "faults: *all",
        "3:9 alias references unknown anchor: check the YAML around this place: indentation, quotes, and colons inside a text",
    ),
    ("faults: [drop: {message: certficate}]", "3:26 unknown word `certficate`: did you mean `certificate`?"),
    ("faults: [drop: {from: sever}]", "3:23 unknown word `sever`: did you mean `server`?"),
    (
        "expect: [echo: 1]\n---\nduration: 6 s",
        "5:1 a second document begins here: one file holds one; remove the `---`",
    ),
    (
        "clauses: [RFC 6347 4.2.4]",
        "3:11 \"RFC 6347 4.2.4\" is not a clause: write RFC, number and section, as `RFC 6347 §4.2.4`",
    ),
    (
        "network: {delay: 5 ms",
        "4:7 while parsing a flow mapping, did not find expected ',' or '}': check the YAML around this place: indentation, quotes, and colons inside a text",
    ),
    (
        "\tseeds: 1",
        "2:7 while scanning a plain scalar, found a tab: check the YAML around this place: indentation, quotes, and colons inside a text",
    ),
    // Quantities.
    ("network: {delay: 250}", "3:18 \"250\" has no unit: write for example \"250 ms\""),
    ("network: {delay: {base: 250}}", "3:25 \"250\" has no unit: write for example \"250 ms\""),
    ("network: {loss: 0.3}", "3:17 \"0.3\" has no unit: write for example \"0.3 %\""),
    ("network: {loss: 130 %}", "3:17 \"130 %\" is more than everything: a ratio is from 0 % to 100 %"),
    (
        "network: {rate: 60 kbps}",
        "3:17 \"kbps\" is not a unit of a rate: units of a rate are bit/s, kbit/s, Mbit/s, Gbit/s",
    ),
    ("network: {rate: 0 bit/s}", "3:17 \"0 bit/s\" lets nothing pass: use a black hole or a loss of 100 % for that"),
    ("duration: 0 s", "3:11 a run cannot last this long: more than nothing, and at most a week: 168 h"),
    ("seeds: 1..", "3:8 \"1..\" has no end: write for example \"1..200\", or \"7\" for one seed"),
    ("seeds: 9..2", "3:8 \"9..2\" ends before it begins: write the smaller bound first: \"2..9\""),
    (
        "expect: [echo: two]",
        "3:16 \"two\" is not a count: write for example \"3\", \"2..\" for at least two, \"..5\" for at most five, or \"1..3\"",
    ),
    // Endpoints.
    (
        "endpoints: {both: {mtu: 255 B}}",
        "3:25 an endpoint cannot have an MTU of 255 B: from 256 B, below which no stack can work, to 65507 B, UDP's largest",
    ),
    (
        "endpoints: {server: {mtu: 65508 B}}",
        "3:27 an endpoint cannot have an MTU of 65508 B: from 256 B, below which no stack can work, to 65507 B, UDP's largest",
    ),
    ("endpoints: {client: {cookie: false}}", "3:30 a client does not ask for cookies: put `cookie` under `server`"),
    ("endpoints: {client: {any-cookie: true}}", "3:34 a client does not ask for cookies: put `cookie` under `server`"),
    (
        "endpoints: {server: {any-cookie: true, cookie: true}}",
        "3:34 with `cookie` the choice is made: keep one of them",
    ),
    (
        "endpoints: {both: {timer: {initial: 2 s, max: 1 s}}}",
        "3:47 the cap is below the first timeout: `max` is at least `initial`",
    ),
    (
        "endpoints: {both: {timer: {rtt-hint: 0 s}}}",
        "3:38 no timer follows this: more than nothing, and at most a day: 24 h",
    ),
    (
        "endpoints: {both: {timer: {adaptive: true, min: 25 h}}}",
        "3:49 no timer follows this: more than nothing, and at most a day: 24 h",
    ),
    ("endpoints: {both: {timer: {min: 100 ms}}}", "3:33 this is for a timer that adapts: add `adaptive: true`"),
    (
        "endpoints: {both: {timer: {rtt-hint: 1 s}}, client: {timer: {adaptive: false}}}",
        "3:38 this is for a timer that adapts: add `adaptive: true`",
    ),
    (
        "endpoints: {both: {timer: {adaptive: true, min: 2 s, max: 1 s}}}",
        "3:49 the least timeout is above the cap: `min` is at most `max`",
    ),
    ("endpoints: {both: {path-mtu: back-of}}", "3:30 unknown word `back-of`: did you mean `back-off`?"),
    (
        "endpoints: {client: {max-fragment-length: 600 B}}",
        "3:43 fragments of 600 B cannot be asked for: 512 B, 1024 B, 2048 B or 4096 B (RFC 6066 §4)",
    ),
    (
        "endpoints: {server: {max-fragment-length: 512 B}}",
        "3:43 a server does not ask for it: put `max-fragment-length` under `client`",
    ),
    (
        "endpoints: {both: {max-fragment-length: 512 B}}",
        "3:41 a server does not ask for it: put `max-fragment-length` under `client`",
    ),
    (
        "endpoints: {both: {timer: {initial: 0 s}}}",
        "3:37 a timer of zero would fire for ever: write a time, for example `1 s`",
    ),
    (
        "endpoints: {both: {suites: [ECDHE_ECDSA_WITH_AES_128_GCM_SHA265]}}",
        "3:29 there is no suite `ECDHE_ECDSA_WITH_AES_128_GCM_SHA265` here: did you mean `ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`?",
    ),
    (
        "endpoints: {both: {suites: [TLS_PSK_WITH_AES_128_CCM_8]}}",
        "3:29 there is no suite `TLS_PSK_WITH_AES_128_CCM_8` here: leave out the prefix: `PSK_WITH_AES_128_CCM_8`",
    ),
    (
        "endpoints: {both: {suites: [PSK_WITH_AES_128_CCM_8]}}",
        "3:29 `PSK_WITH_AES_128_CCM_8` cannot work with these credentials: suites for `credentials: certificate` begin with `ECDHE_ECDSA_WITH_`",
    ),
    ("credentials: pks", "3:14 unknown word `pks`: did you mean `psk`?"),
    (
        "credentials: {certificate: {size: 100 B}}",
        "3:35 no chain has this shape: these certificates take at least 454 B",
    ),
    (
        "credentials: {certificate: {certificates: 7}}",
        "3:43 no chain has this shape: a chain has from 1 to 6 certificates",
    ),
    (
        "credentials: {certificate: {names: [a b]}}",
        "3:37 no chain has this shape: \"a b\" is not a DNS name or an IP address",
    ),
    // The network.
    ("network: {profile: nbiot-ce3}", "3:20 there is no profile `nbiot-ce3`: did you mean `nbiot-ce0`?"),
    (
        "network: {delay: {uniform: 1 ms, median: 2 ms}}",
        "3:18 a delay has one random part: keep `uniform`, or `median` and `sigma`",
    ),
    (
        "network: {delay: {base: 1 ms, median: 2 ms}}",
        "3:18 a log-normal delay needs both `median` and `sigma`: write for example `{base: 60 ms, median: 140 ms, sigma: 0.6}`",
    ),
    ("network: {loss: {good-to-bad: 1 %}}", "3:18 the key `bad-to-good` is missing: add `bad-to-good: ...`"),
    (
        "network: {loss: {good-to-bad: 1 %, bad-to-good: 0 %, loss-good: 0 %, loss-bad: 1 %}}",
        "3:49 the first burst would never end: say how often it ends, for example `bad-to-good: 20 %`",
    ),
    ("network: {ip-mtu: 20 B}", "3:19 no IP link has an MTU of 20 B: IPv4 packets have from 68 B (RFC 791) to 65535 B"),
    (
        "network: {reorder: {share: 1 %, hold: 0 s}}",
        "3:39 a datagram cannot be held for this time: write the longest time to wait for the next datagram, for example `hold: 200 ms`",
    ),
    (
        "network: {bystanders: [{name: a, traffic: {every: 1 us, size: 1 B}}]}",
        "3:51 this bystander floods: at least 1 ms between datagrams, so that a run ends",
    ),
    (
        "network: {bystanders: [{name: a}, {name: a}]}",
        "3:42 a second bystander is called \"a\": give it a name of its own",
    ),
    // Faults that can never strike.
    (
        "faults: [drop: {flight: 7}]",
        "3:25 there is no flight 7: flights are 1 to 6: ClientHello, HelloVerifyRequest, ClientHello with cookie, ServerHello to ServerHelloDone, the client's Finished, the server's Finished",
    ),
    (
        "faults: [drop: {flight: 0}]",
        "3:25 there is no flight 0: flights are 1 to 6: ClientHello, HelloVerifyRequest, ClientHello with cookie, ServerHello to ServerHelloDone, the client's Finished, the server's Finished",
    ),
    (
        "faults: [drop: {}]",
        "3:16 this fault would strike every datagram: say which datagrams, for example `{flight: 4, attempt: 1}`, or how many: `{times: 3}`",
    ),
    (
        "faults: [drop: {fragment: 2}]",
        "3:27 `fragment` without `message`: say of which message, for example `message: certificate`",
    ),
    ("faults: [drop: {message: certificate, fragment: 0}]", "3:49 `fragment: 0` means nothing: counting starts at 1"),
    (
        "faults: [drop: {message: change_cipher_spec, fragment: 1}]",
        "3:56 change_cipher_spec has no fragments: it is a record of one byte and no handshake message; leave out `fragment`",
    ),
    ("faults: [drop: {flight: 4, attempt: 0}]", "3:37 \"0\" starts at 0: counting starts at 1"),
    ("faults: [drop: {flight: 4, datagram: 0}]", "3:38 `datagram: 0` means nothing: counting starts at 1"),
    (
        "faults: [drop: {epoch: 2}]",
        "3:24 no record has epoch 2: DTLS 1.2 without renegotiation has epoch 0, and 1 after ChangeCipherSpec",
    ),
    ("faults: [drop: {message: finished, epoch: 0}]", "3:43 finished is never in epoch 0: its epoch is 1"),
    (
        "faults: [drop: {message: client_hello, from: server}]",
        "3:26 no such datagram carries client_hello: client_hello is sent by the client in flight 1, or by the client in flight 3",
    ),
    (
        "faults: [drop: {message: server_hello, flight: 6}]",
        "3:26 no such datagram carries server_hello: server_hello is sent by the server in flight 4",
    ),
    (
        "faults: [drop: {from: client, flight: 4}]",
        "3:39 the client does not send flight 4: the client sends flights 1, 3, 5",
    ),
    (
        "faults: [drop: {message: certificate_verify}]",
        "3:26 certificate_verify is not sent in this scenario: clients have no certificate here",
    ),
    (
        "credentials: psk\nfaults: [drop: {message: certificate}]",
        "4:26 certificate is not sent in this scenario: a pre-shared key needs no certificate",
    ),
    (
        "endpoints: {server: {cookie: false}}\nfaults: [drop: {flight: 2}]",
        "4:25 there is no flight 2 in this scenario: without a cookie the handshake has flights 1, 4, 5 and 6",
    ),
    (
        "endpoints: {server: {cookie: false}}\nfaults: [drop: {message: hello_verify_request}]",
        "4:26 hello_verify_request is not sent in this scenario: `cookie: false` leaves it out",
    ),
    (
        "faults: [drop: {from: client, after-time: 2 s, before-time: 2 s}]",
        "3:61 this window of time is empty: `before-time` is later than `after-time`",
    ),
    (
        "faults: [drop: {from: client, after-time: 300 s}]",
        "3:43 this fault begins after the run: the run lasts 300s; see `duration`",
    ),
    (
        "faults: [duplicate: {flight: 4, copies: 0}]",
        "3:41 0 copies are not possible: from 1 to 16 besides the original",
    ),
    (
        "faults: [delay: {flight: 4, by: 0 s}]",
        "3:33 a datagram cannot be kept for this time: more than nothing, at most 24 h",
    ),
    ("faults: [hold: {flight: 4, behind: 0, at-most: 1 s}]", "3:36 `behind: 0` means nothing: counting starts at 1"),
    ("faults: [blackhole: {start: 1 s, end: 1 s}]", "3:39 this black hole has no extent: `end` is later than `start`"),
    (
        "faults: [blackhole: {start: 300 s, end: 301 s}]",
        "3:29 this black hole begins after the run: the run lasts 300s; see `duration`",
    ),
    // Replays.
    (
        "faults: [replay: {flight: 1}]",
        "3:10 it is not said when the copies arrive: say `after: 1 s`, or `ahead: 5 ms` for copies that overtake the original",
    ),
    ("faults: [replay: {flight: 1, after: 1 s, ahead: 1 ms}]", "3:49 `after` and `ahead` at once: keep one of them"),
    (
        "faults: [replay: {flight: 4, after: 1 s}]",
        "3:10 these copies can reach nobody: a client takes nothing from other addresses than its server's; add `source: same`",
    ),
    (
        "faults: [replay: {flight: 1, after: 1 s, copies: 17}]",
        "3:50 17 copies are not possible: from 1 to 16 besides the original",
    ),
    (
        "faults: [replay: {flight: 1, after: 1 s, source: strange}]",
        "3:50 unknown word `strange`: did you mean `stranger`?",
    ),
    // The NAT.
    (
        "network: {nat: {lifetime: 0 s}}",
        "3:27 this NAT forgets at once: write how long a mapping lasts without traffic, for example `lifetime: 30 s`",
    ),
    (
        "network: {nat: {rebind-at: [2 s, 1 s]}}",
        "3:34 these instants are not in order: write the earliest first, each once",
    ),
    ("network: {nat: {rebind-at: [1]}}", "3:29 \"1\" has no unit: write for example \"1 ms\""),
    // Visits.
    ("visits: 0", "3:9 0 visits are not possible: 1 to 1000"),
    ("visits: []", "3:9 this is no list of visits: list 1 to 1000 visits, the plain ones as `{}`"),
    ("visits: {resume: true}", "3:9 a set of keys does not fit here: write a number, or a list"),
    (
        "visits: [{resume: true}]",
        "3:19 there is nothing to resume in the first visit: give the list a visit before it, from which it gets a session",
    ),
    ("visits: [{at: 1 s}]", "3:15 the first visit begins with the run: leave this out"),
    ("visits: [{}, {at: 1 s, after: 1 s}]", "3:31 `at` and `after` at once: keep one of them"),
    ("visits: [{}, {at: 300 s}]", "3:19 this visit begins after the run: the run lasts 300s; see `duration`"),
    ("visits: [{same-address: true}]", "3:10 there is no address before the first visit: leave out `same-address`"),
    (
        "workload: {close: none}\nvisits: 2",
        "4:9 nobody ends the visit before this one: say when it begins, for example `at: 10 s`, or who closes the one before",
    ),
    (
        "visits: [{workload: {close: none}}, {}]",
        "3:37 nobody ends the visit before this one: say when it begins, for example `at: 10 s`, or who closes the one before",
    ),
    ("visits: [{}, {resume: true, early-data: 9 B}]", "3:41 DTLS 1.2 has no early data: set `dtls: 1.3`"),
    (
        "dtls: 1.3\nvisits: [{}, {early-data: 9 B}]",
        "4:27 nothing protects this early data: early data needs a session: add `resume: true`",
    ),
    (
        "dtls: 1.3\nvisits: [{}, {resume: true, early-data: 0 B}]",
        "4:41 a message cannot have 0 B: from 1 B to 16384 B, what one record holds (RFC 5246 §6.2.1)",
    ),
    ("faults: [drop: {visit: 2, flight: 1}]", "3:24 there is no such visit: the client comes once; see `visits`"),
    ("visits: 2\nfaults: [drop: {visit: 3, flight: 1}]", "4:24 there is no such visit: visits are 1 to 2"),
    // Features of the endpoints.
    (
        "endpoints: {client: {resumption: tickets}}",
        "3:34 this is for servers: a client resumes, and sends early data, in a visit; see `visits`",
    ),
    (
        "endpoints: {client: {early-data: 1 kB}}",
        "3:34 this is for servers: a client resumes, and sends early data, in a visit; see `visits`",
    ),
    ("endpoints: {server: {resumption: ticket}}", "3:34 unknown word `ticket`: did you mean `tickets`?"),
    (
        "dtls: 1.3\nendpoints: {server: {resumption: session-ids}}",
        "4:34 DTLS 1.3 does not resume by session ID: write `tickets`",
    ),
    ("endpoints: {server: {resumption: {count: 2}}}", "3:34 a client of DTLS 1.2 gets one ticket: leave out `count`"),
    ("dtls: 1.3\nendpoints: {server: {resumption: {count: 9}}}", "4:42 no server gives 9 tickets: from 1 to 8"),
    (
        "endpoints: {both: {psk-modes: [psk-ke]}}",
        "3:31 DTLS 1.2 has no PSK modes: in DTLS 1.2 it is a matter of the cipher suite: see `credentials: ecdhe-psk`",
    ),
    ("dtls: 1.3\nendpoints: {both: {psk-modes: []}}", "4:31 no mode is left: name `psk-dhe-ke`, `psk-ke`, or both"),
    (
        "dtls: 1.3\nendpoints: {both: {psk-import: x}}",
        "4:32 there is no pre-shared key to import: it is for `dtls: 1.3` with `credentials: psk` or `ecdhe-psk`",
    ),
    ("endpoints: {server: {early-data: 1 kB}}", "3:34 DTLS 1.2 has no early data: set `dtls: 1.3`"),
    ("dtls: 1.3\nendpoints: {server: {early-data: 1 kB}}", "4:34 early data needs a ticket: add `resumption: tickets`"),
    (
        "dtls: 1.3\nendpoints: {server: {resumption: tickets, early-data: 0 B}}",
        "4:55 a server cannot take 0 B of early data: from 1 B to 1048576 B",
    ),
    (
        "endpoints: {client: {client-auth: required}}",
        "3:35 a client is not asked by itself: put `client-auth` under `server`",
    ),
    (
        "credentials: psk\nendpoints: {server: {client-auth: required}}",
        "4:35 clients have pre-shared keys here: it goes with `credentials: certificate`",
    ),
    (
        "endpoints: {server: {certificate: {}}}",
        "3:35 this is for clients: that of the server is under `credentials`; put this one under `client`",
    ),
    (
        "endpoints: {both: {certificate: {}}}",
        "3:33 this is for clients: that of the server is under `credentials`; put this one under `client`",
    ),
    (
        "credentials: psk\nendpoints: {client: {certificate: {}}}",
        "4:35 clients have pre-shared keys here: it goes with `credentials: certificate`",
    ),
    (
        "endpoints: {client: {certificate: {certificates: 7}}}",
        "3:50 no chain has this shape: a chain has from 1 to 6 certificates",
    ),
    (
        "credentials: psk\nendpoints: {both: {raw-public-keys: true}}",
        "4:37 there are no public keys here: they are for `credentials: certificate`, whose keys they are",
    ),
    ("endpoints: {both: {connection-id: 256 B}}", "3:35 no connection ID has 256 B: from 0 B to 255 B"),
    (
        "endpoints: {both: {return-routability: basic}}",
        "3:40 without connection IDs no address changes: add `connection-id: 8 B`",
    ),
    (
        "endpoints: {both: {groups: [x25519, x25519-mlkem768]}}",
        "3:37 DTLS 1.2 cannot use this group: in DTLS 1.2 the server speaks first, which a KEM does not allow; set `dtls: 1.3`",
    ),
    ("endpoints: {both: {alpn: ['']}}", "3:27 no protocol has such a name: names have 1 to 255 bytes (RFC 7301 §3.1)"),
    (
        "endpoints: {both: {record-size-limit: 63 B}}",
        "3:39 no record has a limit of 63 B: from 64 B to 16384 B (RFC 8449 §4)",
    ),
    // The workload.
    ("workload: {update-keys: {}}", "3:25 DTLS 1.2 has no messages for this: set `dtls: 1.3`"),
    ("workload: {new-connection-ids: {}}", "3:32 DTLS 1.2 has no messages for this: set `dtls: 1.3`"),
    (
        "dtls: 1.3\nworkload: {request-connection-ids: {count: 0}}",
        "4:44 one message cannot ask for or give so many: from 1 to 255",
    ),
    (
        "workload: {size: 0 B}",
        "3:18 a message cannot have 0 B: from 1 B to 16384 B, what one record holds (RFC 5246 §6.2.1)",
    ),
    (
        "workload: {size: 20 kB}",
        "3:18 a message cannot have 20000 B: from 1 B to 16384 B, what one record holds (RFC 5246 §6.2.1)",
    ),
    ("workload: {messages: many}", "3:22 \"many\" is not a whole number: write digits alone, for example \"3\""),
    // Demands that no run can meet, or every run meets.
    ("expect: []", "3:9 nothing is expected: say what must come of it, for example `- handshake: completes`"),
    ("expect: [handshake: completed]", "3:21 unknown word `completed`: did you mean `completes`?"),
    (
        "expect: [handshake: {result: completes, at: 1 s, within: 2 s}]",
        "3:45 `at` leaves no room for other bounds: keep `at`, or `after` and `within`",
    ),
    (
        "expect: [handshake: {result: completes, after: 3 s, within: 2 s}]",
        "3:61 no instant is within these bounds: `within` is later than `after`",
    ),
    ("expect: [flights: [1, 2, 2]]", "3:26 flight 2 is here twice: each flight counts once, where it first appears"),
    (
        "expect: [transmissions: {flight: 4}]",
        "3:25 nothing is demanded of this flight: say how often or when, for example `{flight: 4, count: 2}`",
    ),
    (
        "expect: [transmissions: {flight: 4, count: 3, at: [0 s, 1 s]}]",
        "3:44 exactly 3 transmissions, but the list is of 2: leave out `count`, or make it agree",
    ),
    (
        "expect: [transmissions: {flight: 4, at: [1 s, 0 s]}]",
        "3:41 these instants are not in order: write the earliest first",
    ),
    ("expect: [transmissions: {flight: 4, at: [1 s], gaps: []}]", "3:54 `at` says what `gaps` would: keep one of them"),
    (
        "expect: [datagram-size: {from: client}]",
        "3:25 nothing is demanded of the sizes: give `at-most`, `reaches`, or both",
    ),
    (
        "expect: [datagram-size: {at-most: 10 B, reaches: 11 B}]",
        "3:50 no size reaches this below `at-most`: `reaches` is not above `at-most`",
    ),
    ("expect: [echo: 2]", "3:16 exactly 2 cannot come back: messages in the workload: 1; see `workload`"),
    (
        "expect: [alert: {description: bad_certificat}]",
        "3:31 there is no alert `bad_certificat`: did you mean `bad_certificate`?",
    ),
    (
        "expect: [alert: {description: oops}]",
        "3:31 there is no alert `oops`: the nearest are `unknown_ca`, `close_notify`, `decode_error`, `access_denied`",
    ),
    (
        "expect: [sent: {message: client_hello, from: server, count: 0}]",
        "3:26 no such datagram carries client_hello: client_hello is sent by the client in flight 1, or by the client in flight 3",
    ),
    ("expect: [struck: {impairment: loss}]", "3:31 this network has no random loss: add `loss: 5 %` to the network"),
    (
        "expect: [struck: {impairment: duplicate, count: 3}]",
        "3:31 this network has no random duplication: add `duplicate: 5 %` to the network",
    ),
    (
        "expect: [struck: {impairment: reordered}]",
        "3:31 this network has no reordering: add `reorder: {share: 10 %, hold: 200 ms}` to the network",
    ),
    (
        "expect: [struck: {impairment: queue-full}]",
        "3:31 this network has no queue: add `rate: {bits: 60 kbit/s, queue: 4 kB}` to the network",
    ),
    (
        "network: {loss: 5 %}\nexpect: [struck: {impairment: loss, per: seeds}]",
        "4:42 there is one seed only: leave out `per`, or give the scenario more seeds, for example `seeds: 1..50`",
    ),
    (
        "network: {delay: 25 ms}\nexpect: [round-trips: {}]",
        "4:23 no clock is demanded: name a clock, for example `{app-send: 3}`",
    ),
    (
        "network: {delay: 25 ms}\nexpect: [round-trips: {app-send: 2.4}]",
        "4:34 \"2.4\" is not a number of round trips: whole or half, as \"3\" or \"2.5\"",
    ),
    (
        "expect: [round-trips: {app-send: 3}]",
        "3:23 round trips cannot be counted here: the link has no delay: they need one fixed delay and no rate, for example `network: {delay: 25 ms}`",
    ),
    (
        "network: {profile: lan}\nexpect: [round-trips: {app-send: 3}]",
        "4:23 round trips cannot be counted here: the link has a rate, so the time depends on sizes: they need one fixed delay and no rate, for example `network: {delay: 25 ms}`",
    ),
    (
        "network: {delay: {base: 1 ms, uniform: 1 ms}}\nexpect: [round-trips: {app-send: 3}]",
        "4:23 round trips cannot be counted here: the link's delay is random: they need one fixed delay and no rate, for example `network: {delay: 25 ms}`",
    ),
    (
        "network: {up: {delay: 1 ms}}\nexpect: [round-trips: {app-send: 3}]",
        "4:23 round trips cannot be counted here: the two directions have different delays: they need one fixed delay and no rate, for example `network: {delay: 25 ms}`",
    ),
    (
        "expect: [selective: {flight: 4}]",
        "3:21 DTLS 1.2 acknowledges nothing and repeats whole flights: demand that it comes whole by `whole-flight`",
    ),
    (
        "expect: [early-data: {}]",
        "3:22 nothing is demanded of early data: say how often it is delivered, or what the client is told, as `{delivered: 1, answer: accepted}`",
    ),
    (
        "expect: [negotiated: {who: client}]",
        "3:22 nothing is demanded here: say what was agreed, for example `{resumed: true}`",
    ),
    (
        "expect: [visit: {number: 2, expect: [echo: 1]}]",
        "3:26 there is no such visit: the client comes once; see `visits`",
    ),
    (
        "expect: [visit: {number: 1, expect: [visit: {number: 1, expect: [echo: 1]}]}]",
        "3:38 a visit inside a visit: name each visit in a step of its own",
    ),
    ("faults: [drop: {content: ack}]", "3:26 DTLS 1.2 has no ACKs: set `dtls: 1.3`"),
    (
        "faults: [drop: {content: alert, message: finished}]",
        "3:26 no such record carries a message: leave out `message` or `content`",
    ),
];

#[test]
fn bad_files_are_refused_where_they_are_bad() {
    let mut wrong = String::new();
    for (text, said) in BAD {
        let whole =
            if text.contains("expect:") { text.to_string() } else { format!("{text}\nexpect: [handshake: completes]") };
        let found = match parse(&format!("windtunnel: 1\ngoal: G.\n{whole}\n")) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => {
                let (line, column) = error.position().expect("a place");
                format!("{line}:{column} {error}: {}", error.mend())
            }
        };
        if found != *said {
            wrong += &format!("{text}\n  found {found:?}\n  not   {said:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
