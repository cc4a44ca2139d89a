//! `Body`: takes the payload of an HTTP/1.1 body out of its framing, however the bytes arrive.

use crate::check::fault::Fault;
use crate::check::head::Framing;
use crate::outcome::{Cause, Detail};

/// Bytes that the extension of a chunk may have at most, and all trailers.
const OVERHEAD_CAP: u32 = 64 << 10;

/// A body that is being received.
#[derive(Debug)]
pub(crate) enum Body {
    Length(u64),
    Chunked(Chunked),
    Close,
    Done,
}

/// Where in a chunked body (RFC 9112, section 7.1) we are.
#[derive(Debug)]
pub(crate) struct Chunked {
    place: Place,
    overhead: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the digits of a size; how many there were and what they say.
    Size(u8, u64),
    /// After the digits, until the line ends.
    Extension(u64),
    /// In a chunk with so many bytes to come.
    Data(u64),
    /// In the line end after a chunk.
    DataEnd,
    /// In the trailers, with so many bytes in the line so far.
    Trailer(u32),
    End,
}

impl Body {
    pub(crate) const fn new(framing: Framing) -> Self {
        match framing {
            Framing::Empty | Framing::Length(0) => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked { place: Place::Size(0, 0), overhead: 0 }),
            Framing::Close => Self::Close,
        }
    }

    /// Whether the body is whole.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Whether further payload is certain to come, unless the connection breaks.
    pub(crate) const fn has_more(&self) -> bool {
        match self {
            Self::Length(_) => true,
            Self::Chunked(chunked) => matches!(chunked.place, Place::Data(_)),
            Self::Close | Self::Done => false,
        }
    }

    /// Takes `bytes` in, hands their payload to `payload`, and returns how many belonged to the
    /// body.
    ///
    /// # Errors
    /// The framing is malformed.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        payload: &mut impl FnMut(&[u8]),
    ) -> Result<usize, Fault> {
        match self {
            Self::Done => Ok(0),
            Self::Close => {
                payload(bytes);
                Ok(bytes.len())
            }
            Self::Length(rest) => {
                let data = at_most(bytes, *rest);
                payload(data);
                *rest -= data.len() as u64;
                if *rest == 0 {
                    *self = Self::Done;
                }
                Ok(data.len())
            }
            Self::Chunked(chunked) => {
                let used = chunked.feed(bytes, payload)?;
                if chunked.place == Place::End {
                    *self = Self::Done;
                }
                Ok(used)
            }
        }
    }

    /// Takes the end of the connection in.
    ///
    /// # Errors
    /// The body was to be longer.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self {
            Self::Done | Self::Close => {
                *self = Self::Done;
                Ok(())
            }
            Self::Length(_) | Self::Chunked(_) => Err(Fault::new(Cause::Body, Detail::Incomplete)),
        }
    }
}

impl Chunked {
    fn feed(&mut self, bytes: &[u8], payload: &mut impl FnMut(&[u8])) -> Result<usize, Fault> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.place {
                Place::Data(left) => {
                    let data = at_most(rest, left);
                    payload(data);
                    rest = rest.get(data.len()..).unwrap_or_default();
                    self.place = match left - data.len() as u64 {
                        0 => Place::DataEnd,
                        left => Place::Data(left),
                    };
                }
                Place::End => break,
                _ => {
                    rest = after;
                    self.step(byte)?;
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// Takes one byte between the chunks in.
    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        let malformed = Err(Fault::protocol(Detail::BadFraming));
        self.place = match (self.place, byte) {
            (Place::Size(1.., size) | Place::Extension(size), b'\n') => match size {
                0 => Place::Trailer(0),
                size => Place::Data(size),
            },
            (Place::Size(1.., size), b'\r' | b' ' | b'\t' | b';') => Place::Extension(size),
            (Place::Size(digits @ 0..16, size), digit) => match (digit as char).to_digit(16) {
                Some(digit) => Place::Size(digits + 1, size << 4 | u64::from(digit)),
                None => return malformed,
            },
            (Place::DataEnd, b'\n') => {
                self.overhead = 0;
                Place::Size(0, 0)
            }
            (Place::DataEnd, b'\r') => self.overhead(Place::DataEnd)?,
            (Place::Extension(size), _) => self.overhead(Place::Extension(size))?,
            (Place::Trailer(0), b'\n') => Place::End,
            (Place::Trailer(_), b'\n') => self.overhead(Place::Trailer(0))?,
            (Place::Trailer(length), b'\r') => Place::Trailer(length),
            (Place::Trailer(length), _) => self.overhead(Place::Trailer(length + 1))?,
            _ => return malformed,
        };
        Ok(())
    }

    fn overhead(&mut self, place: Place) -> Result<Place, Fault> {
        self.overhead += 1;
        if self.overhead > OVERHEAD_CAP {
            return Err(Fault::protocol(Detail::BadFraming));
        }
        Ok(place)
    }
}

/// The first `length` bytes, or all when there are fewer.
fn at_most(bytes: &[u8], length: u64) -> &[u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.get(..length).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunked(parts: &[&[u8]]) -> Result<(Vec<u8>, bool), Fault> {
        let mut body = Body::new(Framing::Chunked);
        let mut payload = Vec::new();
        for part in parts {
            body.feed(part, &mut |bytes| payload.extend_from_slice(bytes))?;
        }
        Ok((payload, body.is_done()))
    }

    #[test]
    fn chunks_are_joined_and_trailers_dropped() {
        let text = b"4;name=value\r\nWiki\r\n5 \r\npedia\r\n0\r\nX: y\r\n\r\nrest";
        assert_eq!(chunked(&[text]), Ok((b"Wikipedia".to_vec(), true)));
    }

    #[test]
    fn malformed_chunks_are_told() {
        for text in ["g\r\n", "\r\n", "2\r\nabc", "11111111111111111\r\n", "-1\r\n"] {
            let fault = chunked(&[text.as_bytes()]).expect_err("a fault");
            assert_eq!(fault, Fault::protocol(Detail::BadFraming), "{text:?}");
        }
    }

    #[test]
    fn endless_trailers_come_to_an_end() {
        let text = format!("0\r\n{}", "X: y\r\n".repeat(20_000));
        assert!(chunked(&[text.as_bytes()]).is_err());
    }

    #[test]
    fn a_body_that_ends_early_is_incomplete() {
        let mut body = Body::new(Framing::Length(5));
        let used = body.feed(b"abc", &mut |_| ()).expect("good framing");
        assert_eq!(used, 3);
        assert_eq!(body.end(), Err(Fault::new(Cause::Body, Detail::Incomplete)));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_chunks_are_cut(cuts in prop::collection::vec(0usize..48, 0..5)) {
            let text: &[u8] = b"4;n=v\r\nWiki\r\n5 \r\npedia\r\n0\r\nX: y\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(chunked(&parts), Ok((b"Wikipedia".to_vec(), true)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = chunked(&[&bytes]);
        }
    }
}
