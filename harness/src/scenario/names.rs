//! Names that a file may use, and what somebody meant who wrote one that is almost right.

/// Cipher suites of DTLS 1.2 that a stack can be asked for: IANA names without `TLS_`.
pub(super) const SUITES: [&str; 32] = [
    "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE_ECDSA_WITH_AES_128_CCM",
    "ECDHE_ECDSA_WITH_AES_256_CCM",
    "ECDHE_ECDSA_WITH_AES_128_CCM_8",
    "ECDHE_ECDSA_WITH_AES_256_CCM_8",
    "ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    "ECDHE_PSK_WITH_AES_128_GCM_SHA256",
    "ECDHE_PSK_WITH_AES_256_GCM_SHA384",
    "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE_PSK_WITH_AES_128_CCM_SHA256",
    "ECDHE_PSK_WITH_AES_128_CCM_8_SHA256",
    "ECDHE_PSK_WITH_AES_128_CBC_SHA",
    "ECDHE_PSK_WITH_AES_256_CBC_SHA",
    "ECDHE_PSK_WITH_AES_128_CBC_SHA256",
    "ECDHE_PSK_WITH_AES_256_CBC_SHA384",
    "PSK_WITH_AES_128_GCM_SHA256",
    "PSK_WITH_AES_256_GCM_SHA384",
    "PSK_WITH_CHACHA20_POLY1305_SHA256",
    "PSK_WITH_AES_128_CCM",
    "PSK_WITH_AES_256_CCM",
    "PSK_WITH_AES_128_CCM_8",
    "PSK_WITH_AES_256_CCM_8",
    "PSK_WITH_AES_128_CBC_SHA",
    "PSK_WITH_AES_256_CBC_SHA",
    "PSK_WITH_AES_128_CBC_SHA256",
    "PSK_WITH_AES_256_CBC_SHA384",
    "PSK_WITH_NULL_SHA256",
];

/// Cipher suites of DTLS 1.3.
pub(super) const SUITES13: [&str; 5] = [
    "AES_128_GCM_SHA256",
    "AES_256_GCM_SHA384",
    "CHACHA20_POLY1305_SHA256",
    "AES_128_CCM_SHA256",
    "AES_128_CCM_8_SHA256",
];

/// Alert descriptions of RFC 5246 §7.2 and of the extensions in use.
pub(super) const ALERTS: [&str; 29] = [
    "close_notify",
    "unexpected_message",
    "bad_record_mac",
    "decryption_failed_RESERVED",
    "record_overflow",
    "decompression_failure",
    "handshake_failure",
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "illegal_parameter",
    "unknown_ca",
    "access_denied",
    "decode_error",
    "decrypt_error",
    "protocol_version",
    "insufficient_security",
    "internal_error",
    "inappropriate_fallback",
    "user_canceled",
    "no_renegotiation",
    "unsupported_extension",
    "unrecognized_name",
    "bad_certificate_status_response",
    "unknown_psk_identity",
    "certificate_required",
    "no_application_protocol",
];

/// "did you mean", if something is near, and else what there is.
pub(super) fn suggest(word: &str, known: &[&str], are: &str) -> String {
    let mut near: Vec<_> = known.iter().map(|known| (distance(word, known), *known)).collect();
    near.sort();
    // A third of the letters may be wrong: more is another word.
    let limit = (word.chars().count() / 3).max(1);
    match near.first() {
        Some(&(steps, name)) if steps <= limit => format!("did you mean `{name}`?"),
        // Long lists are of names made of parts: the nearest few tell more than all of them.
        _ if known.len() > 16 => format!("the nearest are {}", listed(near.iter().take(4).map(|(_, name)| *name))),
        _ => format!("{are} {}", listed(known.iter().copied())),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other; case costs nothing.
fn distance(a: &str, b: &str) -> usize {
    let fold = |word: &str| -> Vec<char> {
        word.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut steps = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                steps = steps.min(rows[i - 2][j - 2] + 1);
            }
            row.push(steps);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_named_and_a_far_one_gets_the_list() {
        assert_eq!(suggest("fligth", &["flight", "message"], "keys here are"), "did you mean `flight`?");
        assert_eq!(suggest("Give_Up", &["give-up", "mtu"], "keys here are"), "did you mean `give-up`?");
        assert_eq!(suggest("colour", &["flight", "message"], "keys here are"), "keys here are `flight`, `message`");
    }

    #[test]
    fn a_long_list_shows_its_nearest() {
        let help = suggest("ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256", &SUITES, "");
        assert_eq!(help, "did you mean `ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`?");
        let help = suggest("TLS_FOO", &SUITES, "");
        assert!(help.starts_with("the nearest are `PSK_"), "{help}");
    }
}
