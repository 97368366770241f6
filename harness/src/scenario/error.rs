//! What is wrong with a file: one message that shows the place, the offending text, and what would be right.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::text::{At, Complete, Place};

/// Why a file cannot be used.
#[derive(Clone, Debug)]
pub struct Error(Box<Inside>);

#[derive(Clone, Debug)]
struct Inside {
    path: PathBuf,
    message: String,
    help: String,
    place: Option<Place>,
    source: Option<NamedSource<Arc<str>>>,
}

impl Error {
    /// About a file or folder as a whole.
    pub(super) fn whole(path: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self(Box::new(Inside {
            path: path.to_owned(),
            message: message.into(),
            help: help.into(),
            place: None,
            source: None,
        }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Line and column, from 1, if it is about a place in the file.
    pub fn position(&self) -> Option<(u32, u32)> {
        self.0.place.map(|place| (place.line, place.column))
    }

    /// What would be right.
    pub fn mend(&self) -> &str {
        &self.0.help
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a source to show, the path is only here.
        if self.0.source.is_none() {
            write!(f, "{}: ", self.0.path.display())?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.0.help.is_empty()).then(|| Box::new(&self.0.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.0.place?;
        let label = LabeledSpan::new(Some("here".to_owned()), place.offset, place.len);
        Some(Box::new(std::iter::once(label)))
    }
}

/// A file being read: makes errors about places in it.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: Arc<str>,
}

impl Source<'_> {
    /// An error about a value of the file.
    pub(super) fn error<T>(&self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) -> Error {
        self.error_at(at.place, message, help)
    }

    pub(super) fn error_at(&self, place: Place, message: impl Into<String>, help: impl Into<String>) -> Error {
        let mut place = place;
        let rest = self.text.get(place.offset..).unwrap_or("");
        // A block or `{...}` has the position of its first character: show its first line.
        if place.len <= 1 && (place.len == 0 || rest.starts_with(['{', '['])) {
            place.len = rest.lines().next().map_or(0, |line| line.trim_end().len());
        }
        Error(Box::new(Inside {
            path: self.path.to_owned(),
            message: message.into(),
            help: help.into(),
            place: Some(place),
            source: Some(NamedSource::new(self.path.display().to_string(), Arc::clone(&self.text))),
        }))
    }

    /// The whole file as keys and values.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        let parsed = serde_saphyr::from_str(&self.text).map_err(|error| self.yaml(&error))?;
        serde_saphyr::from_str::<Complete>(&self.text).map_err(|error| self.yaml(&error))?;
        Ok(parsed)
    }

    /// The parser's errors, in our words where people meet them.
    pub(super) fn yaml(&self, error: &serde_saphyr::Error) -> Error {
        use serde_saphyr::Error as Yaml;
        let error = error.without_snippet();
        let place = error.location().map_or(Place::START, |location| Place::of(location, &self.text));
        let (message, help) = match error {
            Yaml::SerdeUnknownField { field, expected, .. } => {
                (format!("unknown key `{field}`"), super::names::suggest(field, expected, "keys here are"))
            }
            Yaml::SerdeUnknownVariant { variant, expected, .. } => {
                (format!("unknown word `{variant}`"), super::names::suggest(variant, expected, "it can be"))
            }
            Yaml::SerdeMissingField { field, .. } => {
                (format!("the key `{field}` is missing"), format!("add `{field}: ...`"))
            }
            Yaml::DuplicateMappingKey { key, .. } => (
                format!("the key {} is here twice", key.as_ref().map_or(String::new(), |key| format!("`{key}`"))),
                "keep one of them".to_owned(),
            ),
            Yaml::ExpectedMappingEndAfterEnumVariantValue { .. } => (
                "a second key in one step".to_owned(),
                "each step of a list is one key; its options go inside, as `- drop: {flight: 4, attempt: 1}`"
                    .to_owned(),
            ),
            Yaml::Unexpected { expected, .. } => {
                let (wanted, example) = match *expected {
                    "mapping start" => ("keys with values", "write `{key: value}`, or the keys on indented lines"),
                    "sequence start" => ("a list", "write `[...]`, or one `- ...` a line"),
                    "string scalar" => ("a single value", "write it without brackets or braces"),
                    other => (other, ""),
                };
                (format!("{wanted} should be here"), example.to_owned())
            }
            Yaml::InvalidBooleanStrict { .. } => (
                format!("{:?} is neither true nor false", place.text(&self.text)),
                "write `true` or `false`".to_owned(),
            ),
            Yaml::InvalidScalar { ty: "boolean", .. } => (
                format!("{:?} is neither true nor false", place.text(&self.text)),
                "write `true` or `false`".to_owned(),
            ),
            Yaml::NullIntoString { .. } => {
                ("there is no value here".to_owned(), "write one after the colon".to_owned())
            }
            Yaml::MultipleDocuments { .. } => {
                ("a second document begins here".to_owned(), "one file holds one; remove the `---`".to_owned())
            }
            Yaml::Eof { .. } => ("the file is empty".to_owned(), "begin with `windtunnel: 1`".to_owned()),
            Yaml::SerdeInvalidType { unexpected, expected, .. } => {
                let found = match unexpected.as_str() {
                    "sequence" => "a list",
                    "map" => "a set of keys",
                    other => other,
                };
                (format!("{found} does not fit here"), format!("write {expected}"))
            }
            Yaml::Message { msg, .. } => match msg.split_once(HELP_MARK) {
                Some((message, help)) => (message.to_owned(), help.to_owned()),
                None => (msg.clone(), "check the YAML around this place".to_owned()),
            },
            other => {
                let text = other.to_string();
                let text = text.split(" at line ").next().unwrap_or(&text).to_owned();
                if text.starts_with("mapping values are not allowed") {
                    let help = "put quotes around a text with a colon, or `>` before it on a line of its own";
                    return self.error_at(place, "a colon inside a text", help);
                }
                (text, "check the YAML around this place: indentation, quotes, and colons inside a text".to_owned())
            }
        };
        self.error_at(place, message, help)
    }
}

/// Parts message and help in an error that passes through the YAML reader as one string.
pub(super) const HELP_MARK: char = '\u{1f}';
