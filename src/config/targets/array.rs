//! The elements of a JSON array one by one, each as its own bytes, however long the array is.

use std::io::{self, BufRead};

/// Bytes that one element may have; a Prometheus group of a million targets stays below.
const LONGEST_ELEMENT: usize = 256 << 20;
/// Bytes of an unfinished element after which it is looked at for an early fault.
const FIRST_LOOK: usize = 1 << 20;

/// Why an array cannot be read on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Its source failed.
    Unreadable(io::Error),
    /// It is no JSON.
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Byte in the line, from 1.
        column: u64,
        /// What is wrong.
        reason: String,
    },
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Cuts a JSON array (RFC 8259) into its elements, without a look into them.
pub(crate) struct Elements<R> {
    reader: R,
    place: Place,
    element: Vec<u8>,
    state: State,
}

/// A byte of the text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    First,
    Further,
    Done,
}

impl<R: BufRead> Elements<R> {
    /// Reads from `reader`, whose first byte stands at `place`.
    pub(crate) fn new(reader: R, place: Place) -> Self {
        Self { reader, place, element: Vec::new(), state: State::Before }
    }

    /// The next element and where it begins; none after the last.
    pub(crate) fn next(&mut self) -> Result<Option<(Place, &[u8])>, Broken> {
        if self.state == State::Before {
            self.expect(b'[')?;
            self.state = State::First;
        }
        let first = match (self.state, self.peek()?) {
            (State::Done, _) => return Ok(None),
            (State::First, Some(b']')) => return self.finish().map(|()| None),
            (State::Further, Some(b']')) => {
                return Err(self.fault("nothing follows the comma: remove it or add an entry"));
            }
            (_, first) => first,
        };
        let began = self.place;
        self.element.clear();
        match first {
            None => return Err(self.fault("the list ends without its ]")),
            Some(b'"') => self.read_string()?,
            Some(b'{' | b'[') => self.read_nested(began)?,
            Some(_) => self.read_scalar()?,
        }
        match self.peek()? {
            Some(b',') => {
                self.consume_one();
                self.state = State::Further;
            }
            Some(b']') => self.finish()?,
            None => return Err(self.fault("the list ends without its ]")),
            Some(_) => return Err(self.fault("expected , or ] after an entry")),
        }
        Ok(Some((began, &self.element)))
    }

    fn fault(&self, reason: &str) -> Broken {
        let Place { line, column } = self.place;
        Broken::Syntax { line, column, reason: reason.to_owned() }
    }

    fn finish(&mut self) -> Result<(), Broken> {
        self.consume_one();
        if self.peek()?.is_some() {
            return Err(self.fault("expected nothing after the list's ]"));
        }
        self.state = State::Done;
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.peek()? == Some(byte) {
            self.consume_one();
            return Ok(());
        }
        Err(self.fault("expected a list: begin it with ["))
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            let bytes = self.reader.fill_buf()?;
            let Some(blanks) =
                bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            else {
                let length = bytes.len();
                if length == 0 {
                    return Ok(None);
                }
                self.place.pass(bytes);
                self.reader.consume(length);
                continue;
            };
            let next = bytes.get(blanks).copied();
            self.place.pass(bytes.get(..blanks).unwrap_or_default());
            self.reader.consume(blanks);
            return Ok(next);
        }
    }

    fn consume_one(&mut self) {
        self.reader.consume(1);
        self.place.column += 1;
    }

    fn read_string(&mut self) -> Result<(), Broken> {
        let mut scan = Scan::default();
        let began = self.place;
        self.read_until(began, |byte| {
            scan.step(byte);
            if scan.in_string { Cut::No } else { Cut::After }
        })
    }

    fn read_nested(&mut self, began: Place) -> Result<(), Broken> {
        let mut scan = Scan::default();
        self.read_until(began, |byte| {
            scan.step(byte);
            if scan.depth == 0 { Cut::After } else { Cut::No }
        })
    }

    fn read_scalar(&mut self) -> Result<(), Broken> {
        let began = self.place;
        self.read_until(began, |byte| match byte {
            b',' | b']' | b' ' | b'\t' | b'\n' | b'\r' => Cut::Before,
            _ => Cut::No,
        })
    }

    fn read_until(&mut self, began: Place, mut cut: impl FnMut(u8) -> Cut) -> Result<(), Broken> {
        let mut look_at = FIRST_LOOK;
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Err(self.unfinished(began));
            }
            let end = bytes.iter().enumerate().find_map(|(at, byte)| match cut(*byte) {
                Cut::No => None,
                Cut::Before => Some(at),
                Cut::After => Some(at + 1),
            });
            let taken = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            self.element.extend_from_slice(taken);
            self.place.pass(taken);
            let length = taken.len();
            self.reader.consume(length);
            if end.is_some() {
                return Ok(());
            }
            if self.element.len() >= look_at {
                look_at *= 2;
                self.look(began)?;
            }
        }
    }

    /// Whether an unfinished element is already broken, or too long.
    fn look(&self, began: Place) -> Result<(), Broken> {
        if self.element.len() > LONGEST_ELEMENT {
            let Place { line, column } = began;
            let reason = "an entry is longer than 256 MiB".to_owned();
            return Err(Broken::Syntax { line, column, reason });
        }
        match serde_json::from_slice::<serde::de::IgnoredAny>(&self.element) {
            Err(error) if error.is_syntax() => Err(began.syntax(&error)),
            _ => Ok(()),
        }
    }

    /// Why an element that the end of the text cuts off is broken.
    fn unfinished(&self, began: Place) -> Broken {
        match serde_json::from_slice::<serde::de::IgnoredAny>(&self.element) {
            Err(error) if error.is_syntax() => began.syntax(&error),
            _ => self.fault("the list ends in the middle of an entry"),
        }
    }
}

enum Cut {
    No,
    Before,
    After,
}

/// How deep in brackets a byte stands, and whether in a string.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

impl Place {
    /// The fault that serde found in an element that begins here, placed in the whole text.
    pub(crate) fn syntax(self, error: &serde_json::Error) -> Broken {
        let rows = u64::try_from(error.line()).unwrap_or(1).max(1) - 1;
        let column = u64::try_from(error.column()).unwrap_or(1);
        let column = if rows == 0 { self.column + column.max(1) - 1 } else { column };
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason).to_owned();
        Broken::Syntax { line: self.line + rows, column, reason }
    }

    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, column, and what stands there or is wrong.
    type Cutting = (u64, u64, String);

    /// Reads through a buffer of three bytes, so that every boundary is met.
    fn cut(text: &str) -> Result<Vec<Cutting>, Cutting> {
        let reader = io::BufReader::with_capacity(3, text.as_bytes());
        let mut elements = Elements::new(reader, Place { line: 1, column: 1 });
        let mut found = Vec::new();
        loop {
            match elements.next() {
                Ok(None) => return Ok(found),
                Ok(Some((place, bytes))) => {
                    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
                    found.push((place.line, place.column, text));
                }
                Err(Broken::Syntax { line, column, reason }) => return Err((line, column, reason)),
                Err(Broken::Unreadable(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn elements_are_cut_whatever_brackets_their_strings_hold() {
        let text = "[ \"a]\\\"\",\n {\"b\": [\"}\", {}]} , 12,null\n]\n";
        let expected =
            [(1, 3, r#""a]\"""#), (2, 2, r#"{"b": ["}", {}]}"#), (2, 21, "12"), (2, 24, "null")];
        let expected = expected.map(|(line, column, text)| (line, column, text.to_owned()));
        assert_eq!(cut(text), Ok(expected.to_vec()));
        assert_eq!(cut(" [] "), Ok(Vec::new()));
    }

    #[test]
    fn broken_lists_are_placed() {
        for (text, line, column) in [
            ("[1,\n2\n", 3, 1),
            ("[1,]", 1, 4),
            ("[1 2]", 1, 4),
            ("[1]\n]", 2, 1),
            ("{}", 1, 1),
            ("[{\"a\": 1,\n \"b\" 2, {", 2, 6),
            ("[{\"a\": \"x", 1, 10),
            ("", 1, 1),
        ] {
            let (at_line, at_column, _) = cut(text).expect_err("broken");
            assert_eq!((at_line, at_column), (line, column), "{text:?}");
        }
    }
}
