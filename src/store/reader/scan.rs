//! The samples of the whole fleet in the order of time, a bounded slice at a time.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::{ReadError, Reader};
use crate::outcome::Verdict;
use crate::store::codes::verdict_code;
use crate::store::sqlite::{SAMPLE_COLUMNS, sample_from_row};
use crate::store::{Sample, SampleKey};

/// Samples that are looked at for one page, however few of them are wanted.
const LOOKED: usize = 20_000;
/// The column of a sample that says what came of it.
const RESULT: usize = 6;

/// Which samples are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Those that were recorded at this key or after it.
    pub from: SampleKey,
    /// Those that were recorded before this key.
    pub before: SampleKey,
    /// Those with this verdict; all without one.
    pub verdict: Option<Verdict>,
    /// So many at most.
    pub most: usize,
}

/// A part of the samples that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The samples.
    pub samples: Vec<Sample>,
    /// The key of the last one that was looked at, when there may be more behind it.
    pub next: Option<SampleKey>,
}

/// What a target is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its id as users see it.
    pub id: String,
    /// Its address, without credentials.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
}

impl Reader {
    /// The samples that `scan` wants, the newest first. Where few are wanted of many it stops with
    /// less than a whole part, and says where to go on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn newest(&self, scan: &Scan) -> Result<Part, ReadError> {
        let sql = format!(
            "SELECT {SAMPLE_COLUMNS} FROM sample WHERE key >= ?1 AND key < ?2 ORDER BY key DESC"
        );
        let wanted = scan.verdict.map(verdict_code);
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([scan.from.0, scan.before.0])?;
            let (mut part, mut looked) = (Part::default(), 0);
            while let Some(row) = rows.next()? {
                let verdict = row.get::<_, i64>(RESULT)? >> 10 & 3;
                if wanted.is_none_or(|wanted| i64::from(wanted) == verdict) {
                    part.samples.push(sample_from_row(row)?);
                }
                looked += 1;
                if part.samples.len() >= scan.most || looked >= LOOKED {
                    part.next = Some(SampleKey(row.get(0)?));
                    break;
                }
            }
            Ok(part)
        })
    }

    /// The samples that were recorded from `from` to before `before`, the oldest first and `most`
    /// at most.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn oldest(
        &self,
        from: SampleKey,
        before: SampleKey,
        most: usize,
    ) -> Result<Vec<Sample>, ReadError> {
        let sql = format!(
            "SELECT {SAMPLE_COLUMNS} FROM sample WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map([from.0, before.0, most], sample_from_row)?.collect()
        })
    }

    /// What the targets with these `numbers` are called, also those that were removed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn named(
        &self,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<HashMap<u32, Named>, ReadError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(given_id, printf('%016x', id)), url, name FROM target
                 WHERE number = ?1",
            )?;
            let mut names = HashMap::new();
            for number in numbers {
                if names.contains_key(&number) {
                    continue;
                }
                let called = statement.query_row([number], |row| {
                    Ok(Named { id: row.get(0)?, url: row.get(1)?, name: row.get(2)? })
                });
                names.insert(number, called.optional()?.unwrap_or_default());
            }
            Ok(names)
        })
    }

    /// Numbers above `after` and the ids that name their targets for ever, in the order of the
    /// numbers and `most` at most; also of targets that were removed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn ids(&self, after: u32, most: u32) -> Result<Vec<(u32, u64)>, ReadError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, id FROM target WHERE number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, most], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
            })?;
            rows.collect()
        })
    }
}
