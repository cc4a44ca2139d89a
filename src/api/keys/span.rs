//! Spans of time in questions: seconds, or a number with a unit.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

/// Seconds of a span at most: a hundred years.
const LONGEST_S: u32 = 3_155_760_000;

/// Reads a span of at least a second.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let want = "expires is a number of seconds above 0, or a number with s, m, h or d like \"30d\"";
    let seconds = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::Number(seconds) => whole(&seconds),
        Value::String(text) => written(&text),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds));
    seconds.map(Some).ok_or_else(|| D::Error::custom(want))
}

/// What [`read`] reads.
pub(super) fn schema() -> Schema {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LONGEST_S))
        .description(Some("Seconds"));
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[1-9][0-9]{0,3}[smhd]$"))
        .description(Some("As `30d`"));
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let about = "How long it is valid; null or left out: until it is revoked";
    OneOfBuilder::new().item(seconds).item(text).item(none).description(Some(about)).build().into()
}

/// A number without a fraction, however it is written.
fn whole(number: &Number) -> Option<u32> {
    let whole = number.as_u64().and_then(|number| u32::try_from(number).ok());
    whole.or_else(|| {
        let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })
}

fn written(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let is_plain =
        matches!(number.len(), 1..=4) && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = if is_plain && !number.starts_with('0') { number.parse().ok()? } else { 0 };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::super::NewToken;

    fn expires(written: &str) -> Result<Option<u32>, String> {
        let text = format!(r#"{{"role":"read","expires":{written}}}"#);
        let token: Result<NewToken, _> = serde_json::from_str(&text);
        token.map(|token| token.expires).map_err(|error| error.to_string())
    }

    #[test]
    fn the_time_of_a_token_is_seconds_or_has_a_unit() {
        assert_eq!(expires("60"), Ok(Some(60)));
        assert_eq!(expires("60.0"), Ok(Some(60)));
        assert_eq!(expires(r#""30d""#), Ok(Some(2_592_000)));
        assert_eq!(expires("null"), Ok(None));
        for slip in
            ["0", "-1", "1.5", "1e99", r#""30""#, r#""0d""#, r#""d""#, r#""""#, r#""1é""#, "[]"]
        {
            assert!(expires(slip).expect_err(slip).contains("expires is"), "{slip}");
        }
    }
}
