//! Drawing a badge: two fields of text side by side.

use std::fmt::Write as _;

/// What a figure is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// As it should be.
    Good,
    /// Not quite.
    Fair,
    /// Not at all.
    Bad,
    /// Nobody knows.
    Unknown,
}

impl Colour {
    /// Its name at shields.io.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "brightgreen",
            Self::Fair => "yellow",
            Self::Bad => "red",
            Self::Unknown => "lightgrey",
        }
    }

    /// The same, dark enough for white text on it.
    const fn fill(self) -> &'static str {
        match self {
            Self::Good => "#2a7f1f",
            Self::Fair => "#8f6b00",
            Self::Bad => "#c0392b",
            Self::Unknown => "#6b6b6b",
        }
    }
}

/// The picture of `label` and `message`, whose title begins with `name`.
pub(super) fn svg(name: &str, label: &str, message: &str, colour: Colour) -> String {
    let (left, right) = (width(label) + 10, width(message) + 10);
    let whole = left + right;
    let title = escaped(&format!("{name}: {label} {message}"));
    let (label, message, fill) = (escaped(label), escaped(message), colour.fill());
    let (label_at, message_at) = (left / 2, left + right / 2);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
         aria-label=\"{title}\"><title>{title}</title><clipPath id=\"r\"><rect width=\"{whole}\" \
         height=\"20\" rx=\"3\"/></clipPath><g clip-path=\"url(#r)\"><rect width=\"{left}\" \
         height=\"20\" fill=\"#444\"/><rect x=\"{left}\" width=\"{right}\" height=\"20\" \
         fill=\"{fill}\"/></g><g fill=\"#fff\" text-anchor=\"middle\" \
         font-family=\"Verdana,DejaVu Sans,Geneva,sans-serif\" font-size=\"11\">\
         <text x=\"{label_at}\" y=\"14\">{label}</text>\
         <text x=\"{message_at}\" y=\"14\">{message}</text></g></svg>"
    )
}

/// About how wide `text` is in eleven pixels of a wide sans-serif letter.
fn width(text: &str) -> u32 {
    let tenths: u32 = text
        .chars()
        .map(|letter| match letter {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '!' | '|' | '\'' => 40,
            'f' | 'r' | 't' | ' ' | '(' | ')' | '/' | '-' => 46,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 105,
            'A'..='Z' | '+' | '=' | '<' | '>' | '#' => 80,
            letter if letter.is_ascii() => 70,
            _ => 110,
        })
        .sum();
    tenths.div_ceil(10)
}

/// `text` as it stands in XML; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter if letter.is_ascii() || letter.is_alphanumeric() => escaped.push(letter),
            letter => {
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_as_text() {
        let picture = svg("</title><script>", "a<b&\"c'", "x\u{0}\u{1b}y", Colour::Bad);
        assert!(!picture.contains("<script"), "{picture}");
        assert!(picture.contains("a&lt;b&amp;&quot;c&#39;"), "{picture}");
        assert!(picture.contains(">xy</text>"), "{picture}");
    }

    #[test]
    fn a_longer_text_makes_a_wider_badge() {
        assert!(width("uptime of the shop") > 2 * width("uptime"));
        assert!(width("iiii") < width("mmmm"));
    }
}
