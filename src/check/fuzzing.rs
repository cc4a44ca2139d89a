//! What fuzz targets feed the parsers of answers with, and what they hold of them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

mod certificate;
mod http;
mod talk;

pub use super::dns::fuzzing::{dns_expected, dns_message, dns_name, dns_value};
pub use super::http2::fuzzing::http2_frames;
pub use super::icmp::fuzzing::icmp;
pub use certificate::certificate;
pub use http::{answer, body, expectation, head, redirect, retry_after, unpack};
pub use talk::{imap, pop3, proxy, smtp, starttls, tcp_dialog};

use serde_json::Value;

use crate::fuzzing::assert_plain;

/// Holds that every text of `value` can stand on one line.
fn assert_plain_value(value: &Value) {
    match value {
        Value::String(text) => assert_plain(text),
        Value::Array(items) => items.iter().for_each(assert_plain_value),
        Value::Object(pairs) => pairs.iter().for_each(|(name, value)| {
            assert_plain(name);
            assert_plain_value(value);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
