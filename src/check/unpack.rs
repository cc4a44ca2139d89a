//! `Unpack`: undoes the compression of a body as it comes, with no buffer that it holds on to.

use std::io::{self, BufRead, Read};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::check::head::Coding;

/// Bytes that are unpacked at once.
const PART: usize = 8 << 10;

/// Bytes that undoing a compression takes: its window of 32 KB, and its tables.
const STATE: usize = 44 << 10;

/// Undoes the compression of a body.
#[derive(Debug)]
pub(crate) enum Unpack {
    Plain,
    Gzip(MultiGzDecoder<Inbox>),
    Zlib(ZlibDecoder<Inbox>),
    Deflate(DeflateDecoder<Inbox>),
    /// Deflate whose first byte, which tells it from zlib, has not come yet.
    Undecided,
}

impl Unpack {
    /// Undoes `coding`; what cannot be undone is passed on as it is.
    pub(crate) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Identity | Coding::Unknown => Self::Plain,
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(Inbox::default())),
            Coding::Deflate => Self::Undecided,
        }
    }

    /// Bytes that it holds between two parts of a body.
    pub(crate) const fn held_bytes(&self) -> usize {
        match self {
            Self::Plain | Self::Undecided => 0,
            Self::Gzip(_) | Self::Zlib(_) | Self::Deflate(_) => STATE,
        }
    }

    /// Takes a part of the body in and hands on what it unpacks to.
    ///
    /// # Errors
    /// The body is not compressed as it says, or `take` has had enough.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.decide(bytes);
        if matches!(self, Self::Plain | Self::Undecided) {
            return take(bytes);
        }
        self.fill(|inbox| inbox.bytes = bytes.to_vec());
        let drained = self.drain(take);
        // What is left after the end of the stream belongs to nobody.
        self.fill(|inbox| *inbox = Inbox::default());
        drained
    }

    /// Hands on what is left when the whole body has come.
    ///
    /// # Errors
    /// As [`Self::feed`]; the body ends too early.
    pub(crate) fn finish(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.fill(|inbox| inbox.is_whole = true);
        self.drain(take)
    }

    /// Tells zlib, which the standard means by deflate, from bare deflate, which some send.
    fn decide(&mut self, bytes: &[u8]) {
        if let (Self::Undecided, Some(first)) = (&self, bytes.first()) {
            *self = if first & 0x0f == 8 && first >> 4 <= 7 {
                Self::Zlib(ZlibDecoder::new(Inbox::default()))
            } else {
                Self::Deflate(DeflateDecoder::new(Inbox::default()))
            };
        }
    }

    fn fill(&mut self, change: impl FnOnce(&mut Inbox)) {
        match self {
            Self::Plain | Self::Undecided => {}
            Self::Gzip(decoder) => change(decoder.get_mut()),
            Self::Zlib(decoder) => change(decoder.get_mut()),
            Self::Deflate(decoder) => change(decoder.get_mut()),
        }
    }

    fn drain(&mut self, take: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Plain | Self::Undecided => Ok(()),
            Self::Gzip(decoder) => drain(decoder, take),
            Self::Zlib(decoder) => drain(decoder, take),
            Self::Deflate(decoder) => drain(decoder, take),
        }
    }
}

fn drain(
    decoder: &mut impl Read,
    take: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut part = [0; PART];
    loop {
        match decoder.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(length) => take(part.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// What came and is not unpacked yet; empty, it says that more will come, unless all has.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
    is_whole: bool,
}

impl BufRead for Inbox {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() && !self.is_whole {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(rest)
    }

    fn consume(&mut self, length: usize) {
        self.at += length;
    }
}

impl Read for Inbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn text() -> Vec<u8> {
        (0..40_000_u32).flat_map(|number| (number * number).to_string().into_bytes()).collect()
    }

    /// What `body` unpacks to when it comes in parts of `size` bytes.
    fn unpacked(coding: Coding, body: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let mut unpack = Unpack::new(coding);
        let mut found = Vec::new();
        let mut take = |bytes: &[u8]| found.write_all(bytes);
        for part in body.chunks(size) {
            unpack.feed(part, &mut take)?;
        }
        unpack.finish(&mut take)?;
        Ok(found)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn every_coding_is_undone_however_the_bytes_come() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text()).expect("memory");
        deflate.write_all(&text()).expect("memory");
        let zlib = zlib.finish().expect("memory");
        let deflate = deflate.finish().expect("memory");
        let twice = [gzip(&text()), gzip(b"and more")].concat();
        for size in [1, 7, 1_000, 32 << 10, usize::MAX] {
            let undo = |coding, body: &[u8]| unpacked(coding, body, size).expect("good coding");
            assert!(undo(Coding::Gzip, &gzip(&text())) == text(), "{size}");
            assert!(undo(Coding::Gzip, &twice) == [text(), b"and more".to_vec()].concat());
            assert!(undo(Coding::Deflate, &zlib) == text());
            assert!(undo(Coding::Deflate, &deflate) == text());
            assert!(undo(Coding::Identity, b"as it is") == b"as it is");
        }
    }

    #[test]
    fn what_is_broken_or_cut_off_is_told() {
        let body = gzip(&text());
        for size in [1, 1_000, usize::MAX] {
            assert!(unpacked(Coding::Gzip, &body[..body.len() - 4], size).is_err(), "{size}");
            assert!(unpacked(Coding::Gzip, &body[..body.len() / 2], size).is_err(), "{size}");
            assert!(unpacked(Coding::Gzip, b"not compressed at all", size).is_err(), "{size}");
        }
    }
}
