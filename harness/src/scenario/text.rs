//! Values of a file as written: text with its place. What a text means is found later, so that every error can point
//! at it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::HELP_MARK;
use super::{CountCheck, CredentialsSpec, HandshakeResult, names};
use crate::endpoint::ResumeBy;
use crate::pki::ChainShape;
use crate::units;

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: usize,
    /// Bytes of it; 0 for a block.
    pub(super) len: usize,
    /// Line, from 1.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) column: u32,
}

impl Place {
    pub(super) const START: Self = Self { offset: 0, len: 0, line: 1, column: 1 };

    /// From the parser's location; some of its errors know line and column only.
    pub(super) fn of(location: Location, text: &str) -> Self {
        let span = location.span();
        let known = span.byte_offset().and_then(|offset| usize::try_from(offset).ok());
        let offset = known.unwrap_or_else(|| offset_of(text, location.line(), location.column()));
        let len = span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        Self {
            offset: offset.min(text.len()),
            len: len.min(text.len().saturating_sub(offset)),
            line: u32::try_from(location.line()).unwrap_or(u32::MAX),
            column: u32::try_from(location.column()).unwrap_or(u32::MAX),
        }
    }

    /// What stands there.
    pub(super) fn text(self, source: &str) -> &str {
        source.get(self.offset..self.offset + self.len).unwrap_or("")
    }
}

fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let mut offset = 0;
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        if number == line {
            let chars = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
            return offset + content.char_indices().nth(chars).map_or(content.trim_end().len(), |(at, _)| at);
        }
        offset += content.len();
    }
    text.len()
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(deserializer)?;
        // Offsets inside the text were checked by the parser that gives them.
        let span = referenced.span();
        let place = Place {
            offset: span.byte_offset().and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0),
            len: span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0),
            line: u32::try_from(referenced.line()).unwrap_or(u32::MAX),
            column: u32::try_from(referenced.column()).unwrap_or(u32::MAX),
        };
        Ok(Self { value, place })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// Checks that every key has a value: YAML reads `delay:` as a key with nothing, which would be the default.
pub(super) struct Complete;

impl<'de> Deserialize<'de> for Complete {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;

        impl<'de> Visitor<'de> for Walk {
            type Value = Complete;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Complete, E> {
                Err(E::custom(format!(
                    "there is no value here{HELP_MARK}write one after the colon, or leave out the key"
                )))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Complete, E> {
                Ok(Complete)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Complete, E> {
                Ok(Complete)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Complete, E> {
                Ok(Complete)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Complete, E> {
                Ok(Complete)
            }

            fn visit_str<E>(self, _: &str) -> Result<Complete, E> {
                Ok(Complete)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Complete, A::Error> {
                while seq.next_element::<Complete>()?.is_some() {}
                Ok(Complete)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Complete, A::Error> {
                while map.next_entry::<Complete, Complete>()?.is_some() {}
                Ok(Complete)
            }
        }

        deserializer.deserialize_any(Walk)
    }
}

/// What a text can mean: how to read it, and how to describe it to an editor.
pub(super) trait Kind {
    /// The meaning.
    type Value;
    /// Name in the schema.
    const NAME: &'static str;
    /// Regular expression of the texts that can be right.
    const PATTERN: &'static str;
    /// Description in the schema.
    const ABOUT: &'static str;
    /// All texts there are, if they are words.
    const WORDS: &'static [&'static str] = &[];
    /// Reads it.
    fn read(text: &str) -> Result<Self::Value, units::Error>;
}

/// A scalar that is to be of a kind, not read yet.
#[derive(Clone)]
pub(super) struct Text<K>(pub(super) String, PhantomData<K>);

/// A scalar of a kind with its place.
pub(super) type Value<K> = At<Text<K>>;

impl<K> fmt::Debug for Text<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de, K> Deserialize<'de> for Text<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A plain `3` is the text "3" here.
        Ok(Self(String::deserialize(deserializer)?.trim().to_owned(), PhantomData))
    }
}

impl<K: Kind> JsonSchema for Text<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        if !K::WORDS.is_empty() {
            return json_schema!({"enum": K::WORDS, "description": K::ABOUT});
        }
        // Editors read `3` as a number although the pattern is one of texts.
        if K::read("3").is_ok() {
            json_schema!({"type": ["string", "number"], "pattern": K::PATTERN, "description": K::ABOUT})
        } else {
            json_schema!({"type": "string", "pattern": K::PATTERN, "description": K::ABOUT})
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident($name:literal, $pattern:literal) -> $value:ty = $read:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $kind {}

        impl Kind for $kind {
            type Value = $value;
            const NAME: &'static str = $name;
            const PATTERN: &'static str = $pattern;
            const ABOUT: &'static str = concat!($($doc),+).trim_ascii();

            fn read(text: &str) -> Result<Self::Value, units::Error> {
                $read(text)
            }
        }
    )+};
}

kinds! {
    /// A duration: a number with `ns`, `us`, `ms`, `s`, `min` or `h`, as `250 ms`.
    Time("duration", r"^[0-9]+(\.[0-9]+)? ?(ns|us|µs|ms|s|min|h)$") -> std::time::Duration = units::duration;
    /// A rate: a number with `bit/s`, `kbit/s`, `Mbit/s` or `Gbit/s`, as `60 kbit/s`.
    Bits("rate", r"^[0-9]+(\.[0-9]+)? ?[kMG]?bit/s$") -> u64 = units::rate;
    /// A number of bytes: `B`, `kB` (1000), `KiB` (1024), `MB` or `MiB`, as `512 B`.
    Bytes("size", r"^[0-9]+(\.[0-9]+)? ?(B|kB|KiB|MB|MiB)$") -> u32 = units::size;
    /// A share: `1.5 %` or `1 in 1000`.
    Share("share", r"^([0-9]+(\.[0-9]+)? ?%|[0-9]+ in [0-9]+)$") -> super::Ratio =
        |text| units::ratio(text).map(|parts_per_trillion| super::Ratio { parts_per_trillion });
    /// A count: `3`, `2..` for at least two, `..5` for at most five, `1..3`.
    Count("count", r"^([0-9]+|[0-9]+\.\.|\.\.[0-9]+|[0-9]+\.\.[0-9]+)$") -> CountCheck =
        |text| units::count(text).map(|(min, max)| CountCheck { min, max });
    /// Which ones, counting from 1: `1`, `1..2` or `2..`.
    Ordinals("ordinals", r"^([1-9][0-9]*(\.\.[0-9]*)?|\.\.[0-9]+)$") -> (u64, u64) = units::ordinals;
    /// Seeds: `1..200`, or `7` for that seed alone.
    Seeds("seeds", r"^[0-9]+(\.\.[0-9]+)?$") -> (u64, u64) = units::seeds;
    /// A whole number.
    Number("number", r"^[0-9]+$") -> u64 = units::number;
    /// Round trips: whole or half, as `3` or `2.5`.
    Halves("round-trips", r"^[0-9]+(\.[05])?$") -> u32 = units::halves;
    /// A number with at most three decimals, as `0.6`.
    Thousandths("thousandths", r"^[0-9]+(\.[0-9]{1,3})?$") -> u32 = units::thousandths;
}

macro_rules! words {
    ($($(#[doc = $doc:literal])+ $kind:ident($name:literal) -> $value:ty { $($word:literal => $meaning:expr,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $kind {}

        impl Kind for $kind {
            type Value = $value;
            const NAME: &'static str = $name;
            const PATTERN: &'static str = "";
            const ABOUT: &'static str = concat!($($doc),+).trim_ascii();
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn read(text: &str) -> Result<Self::Value, units::Error> {
                match text {
                    $($word => Ok($meaning),)+
                    other => Err(units::Error {
                        message: format!("unknown word `{other}`"),
                        help: names::suggest(other, Self::WORDS, "it can be"),
                    }),
                }
            }
        }
    )+};
}

// Words where keys can stand as well: behind `Either` the reader loses the place of an unknown one.
words! {
    /// How a handshake ends: `completes`, `fails`, or `unfinished` when the run ends.
    Outcome("outcome") -> HandshakeResult {
        "completes" => HandshakeResult::Completes,
        "fails" => HandshakeResult::Fails,
        "unfinished" => HandshakeResult::Unfinished,
    }
    /// What clients resume by: a ticket, or a session ID that DTLS 1.2 alone has.
    ResumptionWord("resumption-means") -> ResumeBy {
        "tickets" => ResumeBy::Tickets,
        "session-ids" => ResumeBy::SessionIds,
    }
    /// How the ends authenticate: a fixed pre-shared key (`psk`), that key with an ECDHE exchange (`ecdhe-psk`), or a
    /// server certificate (`certificate`).
    Method("method") -> CredentialsSpec {
        "psk" => CredentialsSpec::Psk { ecdhe: false },
        "ecdhe-psk" => CredentialsSpec::Psk { ecdhe: true },
        "certificate" => CredentialsSpec::Certificate(ChainShape::default()),
    }
}

/// Something with a short form, a single value, and a long form with keys.
#[derive(Clone, Debug)]
pub(super) enum Either<S, L> {
    /// A single value.
    Short(S),
    /// Keys with values.
    Long(L),
}

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for Either<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<S, L>(PhantomData<(S, L)>);

        impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for Forms<S, L> {
            type Value = Either<S, L>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a single value, or keys with values in braces")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                S::deserialize(StringDeserializer::new(text.to_owned())).map(Either::Short)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                L::deserialize(MapAccessDeserializer::new(map)).map(Either::Long)
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

impl<S: JsonSchema, L: JsonSchema> JsonSchema for Either<S, L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}-or-{}", S::schema_name(), L::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<S>(), generator.subschema_for::<L>()]})
    }
}

/// A number of alike things, or a list of different ones.
#[derive(Debug)]
pub(super) enum Several<T> {
    /// How many.
    Alike(Text<Number>),
    /// Each by itself.
    Listed(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Forms<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Text::deserialize(StringDeserializer::new(text.to_owned())).map(Several::Alike)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Several::Listed(list))
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("number-of-{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<Text<Number>>(), generator.subschema_for::<Vec<T>>()]})
    }
}
