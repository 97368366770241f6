//! The token of a run: one word, safe in any shell, that names everything the run is a function of.
//!
//! `wt1.<topic>/<behaviour>.<digest>.<client>.<server>.<seed>.<hash>`: version of the format, scenario, first eight hex
//! digits of its file's SHA-256, the two stacks, the seed, and the hash of the trace, `-` if it is not the same twice. The
//! dot of a stack's version is a `_` here: `openssl@3_6`.

use std::fmt;
use std::str::FromStr;

/// Version of the format, and of the meaning of seeds: a token of another version names a run that this build does not
/// know how to repeat.
const VERSION: &str = "wt1";
const FORM: &str = "wt1.<topic>/<behaviour>.<digest>.<client>.<server>.<seed>.<hash>";

/// A parsed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `topic/behaviour`.
    pub scenario: String,
    /// Begin of the digest of the scenario file.
    pub digest: [u8; 4],
    /// Name of the client's stack.
    pub client: String,
    /// Name of the server's stack.
    pub server: String,
    /// The seed.
    pub seed: u64,
    /// Hash of the trace; `None` if it is not the same twice.
    pub hash: Option<u64>,
}

impl Token {
    /// Whether the scenario is still the one the token was made from.
    pub fn fits(&self, digest: &[u8; 32]) -> bool {
        digest.starts_with(&self.digest)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, digest, client, server, seed, hash } = self;
        let digest = u32::from_be_bytes(*digest);
        let (client, server) = (client.replace('.', "_"), server.replace('.', "_"));
        write!(f, "{VERSION}.{scenario}.{digest:08x}.{client}.{server}.{seed}.")?;
        match hash {
            Some(hash) => write!(f, "{hash:016x}"),
            None => f.write_str("-"),
        }
    }
}

/// Why a word is not a token of this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It does not have the form of a token.
    Form,
    /// It is a token of another version.
    Version(String),
    /// One part of it cannot be read.
    Part {
        /// Which part.
        part: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        wanted: &'static str,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => write!(f, "not a token: the form is {FORM}"),
            Self::Version(found) => {
                write!(f, "a token of version {found}, this build knows {VERSION}: use the build that printed it")
            }
            Self::Part { part, found, wanted } => write!(f, "the {part} of the token is `{found}`, not {wanted}"),
        }
    }
}

impl std::error::Error for TokenError {}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(word: &str) -> Result<Self, TokenError> {
        let parts: Vec<&str> = word.trim().split('.').collect();
        let version = parts[0];
        if version != VERSION {
            let numbered = version.strip_prefix("wt").is_some_and(|number| number.parse::<u32>().is_ok());
            return Err(if numbered { TokenError::Version(version.to_owned()) } else { TokenError::Form });
        }
        let [_, scenario, digest, client, server, seed, hash] = parts[..] else { return Err(TokenError::Form) };
        let part = |part, found: &str, wanted| TokenError::Part { part, found: found.to_owned(), wanted };
        let name = |name, found: &str| {
            let wanted = "a name of letters, digits, `-`, `_`, `+` and `@`";
            let good = !found.is_empty() && found.chars().all(|c| c.is_ascii_alphanumeric() || "-_+@".contains(c));
            if good { Ok(found.to_owned()) } else { Err(part(name, found, wanted)) }
        };
        let (topic, behaviour) =
            scenario.split_once('/').ok_or_else(|| part("scenario", scenario, "<topic>/<behaviour>"))?;
        let (topic, behaviour) = (name("topic", topic)?, name("behaviour", behaviour)?);
        let hash = match hash {
            "-" => None,
            digits => Some(hex(digits, 16).ok_or_else(|| part("hash", digits, "16 hex digits or `-`"))?),
        };
        let digest = hex(digest, 8).ok_or_else(|| part("digest", digest, "8 hex digits"))?;
        Ok(Self {
            scenario: format!("{topic}/{behaviour}"),
            digest: u32::try_from(digest).expect("8 hex digits").to_be_bytes(),
            client: name("client", client)?.replace('_', "."),
            server: name("server", server)?.replace('_', "."),
            seed: seed.parse().map_err(|_| part("seed", seed, "a number from 0 to 2^64 - 1"))?,
            hash,
        })
    }
}

/// Exactly `digits` lower-case hex digits, so that a run has one token.
fn hex(text: &str, digits: usize) -> Option<u64> {
    let good = text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    good.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            scenario: "loss/flight-4_lost".to_owned(),
            digest: [0x01, 0xab, 0, 0xff],
            client: "native+no-backoff".to_owned(),
            server: "openssl@3.6".to_owned(),
            seed: u64::MAX,
            hash: Some(0x0123),
        }
    }

    #[test]
    fn a_token_reads_back_as_itself() {
        for hash in [Some(0), Some(u64::MAX), None] {
            let token = Token { hash, ..token() };
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn a_token_needs_no_quotes_in_a_shell() {
        let text = token().to_string();
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_+@./".contains(c)), "{text}");
    }

    #[test]
    fn each_bad_part_is_named() {
        let table = [
            ("", "not a token"),
            ("hello", "not a token"),
            ("wt1.a/b", "not a token"),
            ("wt2.anything", "version wt2"),
            ("wt1.ab.00000000.n.n.1.-", "scenario"),
            ("wt1.a/b.0000000.n.n.1.-", "digest"),
            ("wt1.a/b.0000000G.n.n.1.-", "digest"),
            ("wt1.a/b.00000000..n.1.-", "client"),
            ("wt1.a/b.00000000.n.n!.1.-", "server"),
            ("wt1.a/b.00000000.n.n.-1.-", "seed"),
            ("wt1.a/b.00000000.n.n.1.+f", "hash"),
        ];
        for (word, wanted) in table {
            let error = word.parse::<Token>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{word}: {error}");
        }
    }
}
