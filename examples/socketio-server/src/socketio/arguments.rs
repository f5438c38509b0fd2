//! The arguments of events and answers, and the payloads that they are.
//!
//! | arguments | payload |
//! |---|---|
//! | none | empty |
//! | a text | text |
//! | bytes | bytes |
//! | one of any other kind, without bytes in it | JSON |
//! | several, or with bytes in them | an `Arc` of [`Arguments`] |
//!
//! So are a text that is no Unicode, as JavaScript has it (JSON), and no bytes at all (`Arguments`).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use roomcast::Payload;
use serde_json::Value;
use serde_json::value::RawValue;

/// Several arguments, or arguments with bytes in them: a JSON array in which placeholders stand for attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    json: Box<str>,
    attachments: Vec<Bytes>,
}

/// Why there are no such arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadArguments {
    /// They are no JSON array.
    NoArray,
    /// A placeholder stands for an attachment that there is not.
    Placeholder,
}

impl Arguments {
    /// Creates arguments from a JSON array and what its placeholders, `{"_placeholder":true,"num":0}` and so on,
    /// stand for.
    ///
    /// # Errors
    ///
    /// If it is no array, or a placeholder stands for nothing.
    pub fn new(json: &str, attachments: Vec<Bytes>) -> Result<Self, BadArguments> {
        let arguments: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| BadArguments::NoArray)?;
        if !attachments.is_empty() {
            check_placeholders(&arguments, attachments.len())?;
        }
        Ok(Self { json: join(&arguments), attachments })
    }

    /// Returns the JSON array, without white space around its values.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns what the placeholders stand for.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Returns what counts against the backlog of rooms.
    fn weight(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Makes the payload that arguments are.
///
/// # Errors
///
/// If a placeholder stands for nothing.
pub(super) fn payload(arguments: &[&RawValue], attachments: Vec<Bytes>) -> Result<Payload, BadArguments> {
    match (arguments, &attachments[..]) {
        ([], []) => return Ok(Payload::default()),
        ([argument], []) => return Ok(single(argument.get())),
        ([argument], [bytes]) if !bytes.is_empty() && placeholder(argument) == Some(0) => {
            return Ok(Payload::from(&bytes[..]));
        }
        (_, []) => {}
        _ => check_placeholders(arguments, attachments.len())?,
    }
    let arguments = Arguments { json: join(arguments), attachments };
    let weight = arguments.weight();
    Ok(Payload::with_weight(Arc::new(arguments), weight))
}

fn single(json: &str) -> Payload {
    let text: Option<String> = json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten();
    text.map_or_else(|| Payload::json(json), Payload::from)
}

fn join(arguments: &[&RawValue]) -> Box<str> {
    let mut json =
        String::with_capacity(arguments.iter().map(|argument| argument.get().len() + 1).sum::<usize>() + 2);
    json.push('[');
    for (place, argument) in arguments.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        json.push_str(argument.get());
    }
    json.push(']');
    json.into()
}

fn check_placeholders(arguments: &[&RawValue], attachments: usize) -> Result<(), BadArguments> {
    arguments.iter().try_for_each(|argument| {
        let value = serde_json::from_str(argument.get()).map_err(|_| BadArguments::NoArray)?;
        check_placeholders_in(&value, attachments)
    })
}

/// Does not go deeper than the parser did, which has a limit.
fn check_placeholders_in(value: &Value, attachments: usize) -> Result<(), BadArguments> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| check_placeholders_in(value, attachments)),
        Value::Object(fields) if is_placeholder(value) => match fields.get("num").and_then(Value::as_u64) {
            Some(place) if place < attachments as u64 => Ok(()),
            _ => Err(BadArguments::Placeholder),
        },
        Value::Object(fields) => {
            fields.values().try_for_each(|value| check_placeholders_in(value, attachments))
        }
        _ => Ok(()),
    }
}

/// Returns the place of the attachment that an argument stands for, if it stands for one.
fn placeholder(argument: &RawValue) -> Option<u64> {
    let value: Value = serde_json::from_str(argument.get()).ok()?;
    if is_placeholder(&value) { value.get("num")?.as_u64() } else { None }
}

fn is_placeholder(value: &Value) -> bool {
    value.get("_placeholder") == Some(&Value::Bool(true))
}

impl fmt::Display for BadArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoArray => "the arguments are no JSON array",
            Self::Placeholder => "a placeholder stands for no attachment",
        })
    }
}

impl std::error::Error for BadArguments {}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload_of(json: &str, attachments: &[&'static [u8]]) -> Result<Payload, BadArguments> {
        let arguments: Vec<&RawValue> = serde_json::from_str(json).unwrap();
        payload(&arguments, attachments.iter().copied().map(Bytes::from_static).collect())
    }

    #[test]
    fn one_argument_is_a_plain_payload() {
        assert_eq!(payload_of("[]", &[]).unwrap(), Payload::default());
        assert_eq!(payload_of(r#"["a\n\u00e9"]"#, &[]).unwrap(), Payload::from("a\né"));
        assert_eq!(payload_of(r#"[""]"#, &[]).unwrap(), Payload::from(""));
        assert_eq!(payload_of(r#"["\ud800"]"#, &[]).unwrap(), Payload::json(r#""\ud800""#));
        assert_eq!(payload_of("[null]", &[]).unwrap(), Payload::json("null"));
        assert_eq!(payload_of(r#"[ {"a": [1]} ]"#, &[]).unwrap(), Payload::json(r#"{"a": [1]}"#));
        let placeholder = r#"[{"num":0,"_placeholder":true}]"#;
        assert_eq!(payload_of(placeholder, &[b"\x01\x02"]).unwrap(), Payload::from(b"\x01\x02"));
        // Looks like one, and is none: nothing is attached.
        assert_eq!(
            payload_of(placeholder, &[]).unwrap().as_json(),
            Some(&placeholder[1..placeholder.len() - 1])
        );
    }

    #[test]
    fn more_are_arguments() {
        let placeholders = r#"[{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]}]"#;
        let cases: [(&str, &[&'static [u8]], &str); 4] = [
            ("[1, \"2\"]", &[], "[1,\"2\"]"),
            (placeholders, &[b"a", b"b"], placeholders),
            (r#"[{"_placeholder":true,"num":0}]"#, &[b""], r#"[{"_placeholder":true,"num":0}]"#),
            (r#"[{"_placeholder":1,"num":7}]"#, &[b"a"], r#"[{"_placeholder":1,"num":7}]"#),
        ];
        for (json, attachments, expected) in cases {
            let payload = payload_of(json, attachments).unwrap();
            let arguments = payload.downcast_ref::<Arguments>().unwrap();
            assert_eq!(arguments.json(), expected);
            assert_eq!(arguments.attachments(), attachments);
            assert_eq!(Arguments::new(json, arguments.attachments().to_vec()).as_ref(), Ok(arguments));
            assert_eq!(
                payload.len(),
                expected.len() + attachments.iter().map(|bytes| bytes.len()).sum::<usize>()
            );
        }
    }

    #[test]
    fn placeholders_stand_for_something() {
        for num in ["1", "-1", "0.5", "\"0\"", "null", "18446744073709551616"] {
            let json = format!(r#"[{{"a":[{{"_placeholder":true,"num":{num}}}]}}]"#);
            assert_eq!(payload_of(&json, &[b"a"]), Err(BadArguments::Placeholder), "{num}");
        }
        assert_eq!(payload_of(r#"[{"_placeholder":true}]"#, &[b"a"]), Err(BadArguments::Placeholder));
        assert_eq!(Arguments::new("{}", Vec::new()), Err(BadArguments::NoArray));
        assert_eq!(Arguments::new("[1", Vec::new()), Err(BadArguments::NoArray));
        let deep = format!("[{}{}]", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(Arguments::new(&deep, vec![Bytes::new()]), Err(BadArguments::NoArray));
        assert!(Arguments::new(&deep, Vec::new()).is_ok());
    }
}
