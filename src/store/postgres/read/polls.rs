//! Samples: of one target by the slots that it had, of the fleet in the order in which they fell due.

use super::MISSED;
use super::rows::{SAMPLE, outcome};
use super::{DatabaseError, Reader, Us, limit};
use crate::outcome::Outcome;

/// A place among the samples of the fleet, by when they fell due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollPlace {
    /// When, in Unix milliseconds.
    pub due_ms: i64,
    /// So many that fell due in that millisecond are passed already.
    pub passed: u32,
}

/// A span of due times, in Unix milliseconds: from inclusive, to exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from_ms: i64,
    /// Its end.
    pub to_ms: i64,
}

impl Reader {
    /// The polls of the target `number` that fell due at one of `dues_ms` (Unix milliseconds), from
    /// all locations, the newest first. Each is a look at the primary key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn polls_at(
        &self,
        number: u32,
        dues_ms: &[i64],
    ) -> Result<Vec<Outcome>, DatabaseError> {
        let Some((first, last)) = dues_ms.iter().min().zip(dues_ms.iter().max()) else {
            return Ok(Vec::new());
        };
        // The bounds leave out parts of the table before anything of them is looked at.
        let sql = format!(
            "SELECT {SAMPLE} FROM sample WHERE due = ANY ($1) AND due >= $2 AND due <= $3 \
             AND target = $4 AND kind <> {MISSED} ORDER BY due DESC, finished DESC LIMIT 20000"
        );
        let dues: Vec<Us> = dues_ms.iter().copied().map(Us::of_ms).collect();
        let bounds = (Us::of_ms(*first), Us::of_ms(*last));
        let rows = self.rows(&sql, &[&dues, &bounds.0, &bounds.1, &i64::from(number)]).await?;
        rows.iter().map(outcome).collect()
    }

    /// The polls that fell due from `from_ms` (Unix milliseconds) on, from `place` on, the latest
    /// first, `most` at most, and the place behind them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn newest_polls(
        &self,
        place: PollPlace,
        from_ms: i64,
        most: usize,
    ) -> Result<(Vec<Outcome>, Option<PollPlace>), DatabaseError> {
        let sql = format!(
            "SELECT {SAMPLE} FROM sample WHERE due <= $1 AND due >= $2 AND kind <> {MISSED} \
             ORDER BY due DESC, target DESC, location DESC, tries DESC OFFSET $3 LIMIT $4"
        );
        let params =
            (Us::of_ms(place.due_ms), Us::of_ms(from_ms), i64::from(place.passed), limit(most));
        let rows = self.rows(&sql, &[&params.0, &params.1, &params.2, &params.3]).await?;
        let all = rows.iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
        let next = (all.len() == most).then(|| behind(place, &all)).flatten();
        Ok((all, next))
    }

    /// What fell due in `span` behind `after`, a due time, a target, a location and a number of tries,
    /// the earliest first, and where to go on; `most` rows are looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn oldest_polls(
        &self,
        span: Span,
        after: Option<ExportPlace>,
        most: usize,
    ) -> Result<(Vec<Outcome>, Option<ExportPlace>), DatabaseError> {
        let sql = format!(
            "SELECT {SAMPLE}, location, tries FROM sample WHERE due >= $1 AND due < $2 \
             AND (due, target, location, tries) > ($1, $3, $4, $5) \
             ORDER BY due, target, location, tries LIMIT $6"
        );
        let (from_ms, target, location, tries) = after.unwrap_or((span.from_ms, -1, 0, 0));
        let bounds = (Us::of_ms(from_ms), Us::of_ms(span.to_ms), limit(most));
        let rows =
            self.rows(&sql, &[&bounds.0, &bounds.1, &target, &location, &tries, &bounds.2]).await?;
        let all = rows.iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
        let next = match (rows.last(), all.last()) {
            (Some(row), Some(last)) if all.len() == most => {
                let (location, tries) = (super::at(row, "location")?, super::at(row, "tries")?);
                Some((last.due_ms, i64::from(last.target), location, tries))
            }
            _ => None,
        };
        Ok((polls(&rows, all), next))
    }
}

/// Due time in Unix milliseconds, target, location and tries of a sample.
pub type ExportPlace = (i64, i64, i16, i16);

/// Those of `all` that are polls.
fn polls(rows: &[tokio_postgres::Row], all: Vec<Outcome>) -> Vec<Outcome> {
    let is_poll =
        |row: &tokio_postgres::Row| super::at::<i16>(row, "kind").is_ok_and(|kind| kind != MISSED);
    let told = rows.iter().zip(all).filter(|(row, _)| is_poll(row));
    told.map(|(_, outcome)| outcome).collect()
}

/// The place behind `looked`, which came behind `place`.
fn behind(place: PollPlace, looked: &[Outcome]) -> Option<PollPlace> {
    let due_ms = looked.last()?.due_ms;
    let equal = looked.iter().rev().take_while(|one| one.due_ms == due_ms).count();
    let before = if due_ms == place.due_ms { place.passed } else { 0 };
    Some(PollPlace { due_ms, passed: before.saturating_add(u32::try_from(equal).ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Finding, SampleKind};

    #[test]
    fn a_place_counts_what_was_passed_of_its_millisecond() {
        let due = |due_ms| Outcome {
            target: 1,
            due_ms,
            finished_us: 0,
            lag_us: 0,
            latency_us: 0,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding: Finding::default(),
        };
        let place = |due_ms, passed| PollPlace { due_ms, passed };
        assert_eq!(behind(place(9, 0), &[due(9), due(9)]), Some(place(9, 2)));
        assert_eq!(behind(place(9, 2), &[due(9), due(9)]), Some(place(9, 4)));
        assert_eq!(behind(place(9, 4), &[due(9), due(7), due(7)]), Some(place(7, 2)));
        assert_eq!(behind(place(9, 4), &[]), None);
    }
}
