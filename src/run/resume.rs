//! `Resume`: the results of a run that was broken off, for one that goes on from there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use parking_lot::Mutex;

use crate::view::result::{CheckResult, Identity};

/// Bytes that one line of results may have.
const LONGEST_LINE: u64 = 64 << 20;

/// How a document of results begins.
const HEAD: &[u8] = b"{\"results\":[";

/// Why the results of an earlier run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The file cannot be read.
    #[error("cannot read the results {file} to go on from: {source}")]
    Unreadable {
        /// Its name.
        file: String,
        /// What went wrong.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{file} holds no results of a run; name what --json, --jsonl or --output wrote")]
    Other {
        /// Its name.
        file: String,
    },
}

/// The results of an earlier run: what finished then is not checked again.
#[derive(Debug)]
pub struct Resume {
    file: Mutex<File>,
    /// Where the results of each check begin and how long they are, the first one last.
    places: Mutex<HashMap<u64, Vec<(u64, u32)>>>,
}

impl Resume {
    /// What lies in `path`, as `--json`, `--jsonl` or `--output` wrote it.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn open(path: &Path) -> Result<Self, ResumeError> {
        let name = || path.display().to_string();
        let unreadable = |source| ResumeError::Unreadable { file: name(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut lines = BufReader::new(&file);
        let (mut at, mut line) = (0, Vec::new());
        let mut places: HashMap<u64, Vec<(u64, u32)>> = HashMap::new();
        let (mut is_results, mut is_empty) = (false, true);
        loop {
            line.clear();
            let length = (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line);
            let length = length.map_err(unreadable)? as u64;
            if length == 0 {
                break;
            }
            is_empty &= line.trim_ascii().is_empty();
            is_results |= line.windows(9).any(|part| part == b"\"results\"");
            if let Some((before, result)) = result_in(&line) {
                is_results = true;
                if is_final(&result) {
                    let key = key(&result.id, &result.plugin_type);
                    let place = (at + before.0 as u64, before.1);
                    places.entry(key).or_default().push(place);
                }
            }
            at += length;
        }
        if !is_results && !is_empty {
            return Err(ResumeError::Other { file: name() });
        }
        for places in places.values_mut() {
            places.reverse();
        }
        Ok(Self { file: Mutex::new(file), places: Mutex::new(places) })
    }

    /// The next result of `identity`, if it finished.
    pub(super) fn result(&self, identity: &Identity) -> Option<CheckResult> {
        let key = key(&identity.id, &identity.plugin_type);
        let (at, length) = self.places.lock().get_mut(&key)?.pop()?;
        let mut file = self.file.lock();
        let mut bytes = vec![0; length as usize];
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// The result that a line holds, with its first byte and its length.
fn result_in(line: &[u8]) -> Option<((usize, u32), CheckResult)> {
    let begin = line.iter().position(|byte| *byte == b'{')?;
    let end = line.iter().rposition(|byte| *byte == b'}')? + 1;
    let mut body = line.get(begin..end)?;
    let mut start = begin;
    // The first result may stand behind the head of its document.
    if body.starts_with(HEAD) {
        start = begin + HEAD.len();
        body = line.get(start..end)?;
    }
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<CheckResult>();
    let result = stream.next()?.ok()?;
    let length = u32::try_from(stream.byte_offset()).ok()?;
    Some(((start, length), result))
}

/// Whether a check came to its end, so that its result stands.
fn is_final(result: &CheckResult) -> bool {
    let of = result.raw_data.get("error_type").and_then(serde_json::Value::as_str);
    !matches!(of, Some("deadline" | "stopped" | "invalid_check"))
}

fn key(id: &str, plugin_type: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{plugin_type}\0{id}").as_bytes())
}
