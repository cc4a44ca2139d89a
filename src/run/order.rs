//! `InOrder`: results in the order of their list, however they come; what has to wait for others
//! does so in memory, and past a bound in a temporary file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::view::result::CheckResult;

/// Results that may wait in memory; further ones wait in a file.
const IN_MEMORY: usize = 4_096;

/// Puts results into the order of their list.
#[derive(Debug, Default)]
pub struct InOrder {
    /// Place of the result that is next.
    next: usize,
    /// Those that wait, from `next` on.
    waiting: VecDeque<Waiting>,
    in_memory: usize,
    file: Option<Spool>,
}

#[derive(Debug, Default)]
enum Waiting {
    /// It has not come yet.
    #[default]
    Missing,
    Here(Arc<CheckResult>),
    /// It lies in the file, from the first byte on, so long.
    Filed(u64, u32),
}

#[derive(Debug)]
struct Spool {
    file: File,
    length: u64,
    buffer: Vec<u8>,
}

impl InOrder {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the result at `index`, and hands out to `emit` what is in order by then.
    ///
    /// # Errors
    /// The temporary file cannot be written or read, or `emit` fails.
    pub fn put(
        &mut self,
        index: usize,
        result: Arc<CheckResult>,
        emit: &mut dyn FnMut(&CheckResult) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(distance) = index.checked_sub(self.next) else { return Ok(()) };
        if distance == 0 && self.waiting.is_empty() {
            self.next += 1;
            return emit(&result);
        }
        while self.waiting.len() <= distance {
            self.waiting.push_back(Waiting::Missing);
        }
        let kept = if distance == 0 || self.in_memory < IN_MEMORY {
            self.in_memory += 1;
            Waiting::Here(result)
        } else {
            self.file(&result)?
        };
        if let Some(place) = self.waiting.get_mut(distance) {
            *place = kept;
        }
        while !matches!(self.waiting.front(), None | Some(Waiting::Missing)) {
            self.emit_first(emit)?;
        }
        Ok(())
    }

    /// Hands out what has come and waits for others that never will.
    ///
    /// # Errors
    /// As [`InOrder::put`].
    pub fn finish(
        mut self,
        emit: &mut dyn FnMut(&CheckResult) -> io::Result<()>,
    ) -> io::Result<()> {
        while !self.waiting.is_empty() {
            self.emit_first(emit)?;
        }
        Ok(())
    }

    fn emit_first(
        &mut self,
        emit: &mut dyn FnMut(&CheckResult) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = self.waiting.pop_front().unwrap_or_default();
        self.next += 1;
        match first {
            Waiting::Missing => Ok(()),
            Waiting::Here(result) => {
                self.in_memory -= 1;
                emit(&result)
            }
            Waiting::Filed(at, length) => {
                let Some(spool) = &mut self.file else { return Ok(()) };
                let result = spool.read(at, length)?;
                // What nothing waits in any more is written anew from its beginning.
                if self.waiting.iter().all(|one| !matches!(one, Waiting::Filed(..)))
                    && self.waiting.len() < IN_MEMORY
                {
                    self.file = None;
                }
                emit(&result)
            }
        }
    }

    fn file(&mut self, result: &CheckResult) -> io::Result<Waiting> {
        let spool = match &mut self.file {
            Some(spool) => spool,
            none => {
                none.insert(Spool { file: tempfile::tempfile()?, length: 0, buffer: Vec::new() })
            }
        };
        spool.write(result)
    }
}

impl Spool {
    fn write(&mut self, result: &CheckResult) -> io::Result<Waiting> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, result)?;
        let at = self.length;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&self.buffer)?;
        let length = u32::try_from(self.buffer.len()).map_err(io::Error::other)?;
        self.length += u64::from(length);
        Ok(Waiting::Filed(at, length))
    }

    fn read(&mut self, at: u64, length: u32) -> io::Result<CheckResult> {
        self.buffer.resize(length as usize, 0);
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut self.buffer)?;
        Ok(serde_json::from_slice(&self.buffer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::result::Status;

    fn result(index: usize) -> Arc<CheckResult> {
        Arc::new(CheckResult {
            id: index.to_string(),
            plugin_type: "tcp".into(),
            status: Status::Success,
            message: String::new(),
            response_time: 0.25,
            raw_data: serde_json::Map::new(),
            timestamp: String::new(),
        })
    }

    fn order(coming: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let (mut order, mut seen) = (InOrder::new(), Vec::new());
        let mut emit = |result: &CheckResult| {
            seen.push(result.id.parse().expect("a number"));
            Ok(())
        };
        for index in coming {
            order.put(index, result(index), &mut emit).expect("a file can be had");
        }
        order.finish(&mut emit).expect("a file can be read");
        seen
    }

    #[test]
    fn results_come_out_in_order_however_they_come() {
        assert_eq!(order([2, 0, 1, 4, 3]), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn nothing_waits_for_the_slowest_in_memory_alone() {
        let count = 3 * IN_MEMORY;
        let all: Vec<usize> = (0..count).collect();
        assert_eq!(order((1..count).chain([0])), all);
        let mut held = InOrder::new();
        for index in 1..count {
            held.put(index, result(index), &mut |_| Ok(())).expect("a file can be had");
        }
        assert_eq!(held.in_memory, IN_MEMORY);
    }

    #[test]
    fn what_never_comes_does_not_keep_back_the_rest() {
        assert_eq!(order([1, 3, 4]), [1, 3, 4]);
    }
}
