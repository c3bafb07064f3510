//! Reads OpenTelemetry's protocol without the library that wrote it: the fields of `ExportTraceServiceRequest`, by
//! their numbers in `opentelemetry/proto/trace/v1/trace.proto`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A span as it was sent; times are nanoseconds since 1970.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) from: u64,
    pub(crate) upto: u64,
    pub(crate) fields: BTreeMap<String, String>,
}

/// A field's value.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a number goes on");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than 64 bits");
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

/// A message's fields with their numbers.
fn message(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                Field::Bytes(take(&mut bytes, length))
            }
            5 => Field::Number(u64::from(u32::from_le_bytes(
                take(&mut bytes, 4).try_into().unwrap(),
            ))),
            other => panic!("no such kind of field: {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

fn parts(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    message(bytes)
        .into_iter()
        .filter_map(|(found, value)| match value {
            Field::Bytes(bytes) if found == number => Some(bytes),
            _ => None,
        })
        .collect()
}

fn number(bytes: &[u8], number: u64) -> Option<u64> {
    message(bytes).into_iter().find_map(|(found, value)| match value {
        Field::Number(value) if found == number => Some(value),
        _ => None,
    })
}

fn text(bytes: &[u8], number: u64) -> String {
    let first = parts(bytes, number).into_iter().next().unwrap_or_default();
    String::from_utf8(first.to_vec()).unwrap()
}

fn hex(bytes: &[u8], number: u64) -> String {
    let first = parts(bytes, number).into_iter().next().unwrap_or_default();
    first.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// `KeyValue`s: the key is field 1, the value field 2, of which text is 1 and a whole number 3.
fn attributes(pairs: Vec<&[u8]>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|pair| {
            let value = parts(pair, 2).into_iter().next().unwrap_or_default();
            let shown = number(value, 3).map_or_else(|| text(value, 1), |number| number.to_string());
            (text(pair, 1), shown)
        })
        .collect()
}

/// The resource's attributes, and every span.
pub(crate) fn request(bytes: &[u8]) -> (BTreeMap<String, String>, Vec<Span>) {
    let (mut resource, mut spans) = (BTreeMap::new(), Vec::new());
    for of_resource in parts(bytes, 1) {
        for one in parts(of_resource, 1) {
            resource.extend(attributes(parts(one, 1)));
        }
        for of_scope in parts(of_resource, 2) {
            spans.extend(parts(of_scope, 2).into_iter().map(|span| Span {
                trace: hex(span, 1),
                id: hex(span, 2),
                parent: hex(span, 4),
                name: text(span, 5),
                from: number(span, 7).expect("it began"),
                upto: number(span, 8).expect("it ended"),
                fields: attributes(parts(span, 9)),
            }));
        }
    }
    (resource, spans)
}
