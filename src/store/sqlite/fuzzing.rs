//! Rows of samples, as a store may hold them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use rusqlite::Connection;
use rusqlite::types::Value;

use super::rows::{SAMPLE_COLUMNS, bind, sample_from_row};
use crate::store::Sample;

/// Columns of a sample.
const COLUMNS: usize = 15;

/// Rows of samples: two bytes that say which columns are there, and the numbers in them.
///
/// # Panics
/// A property does not hold.
pub fn sample_row(data: &[u8]) {
    thread_local! {
        static STORE: Connection = {
            let store = Connection::open_in_memory().expect("memory");
            let table = format!("CREATE TABLE sample ({SAMPLE_COLUMNS})");
            store.execute_batch(&table).expect("a table");
            store
        };
    }
    let Some(([low, high], bytes)) = data.split_first_chunk() else { return };
    let wanted = u16::from_le_bytes([*low, *high]);
    let mut numbers = bytes.chunks(8).map(|chunk| {
        let mut number = [0; 8];
        number[..chunk.len()].copy_from_slice(chunk);
        i64::from_le_bytes(number)
    });
    let columns: [Value; COLUMNS] = std::array::from_fn(|column| {
        let number = (wanted >> column & 1 == 0).then(|| numbers.next().unwrap_or(0));
        number.map_or(Value::Null, Value::from)
    });
    STORE.with(|store| {
        let Ok(sample) = written(store, |statement| {
            (1..)
                .zip(&columns)
                .try_for_each(|(place, one)| statement.raw_bind_parameter(place, one))
        }) else {
            return;
        };
        // A row that nobody of us wrote may say more than one of ours can.
        let write = |sample| written(store, |statement| bind(statement, sample));
        let again = write(&sample).expect("a row of ours");
        assert_eq!(write(&again).expect("a row of ours"), again);
    });
}

/// What is read of a row that `bind` fills.
fn written(
    store: &Connection,
    bind: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Sample> {
    store.execute("DELETE FROM sample", [])?;
    let places = vec!["?"; COLUMNS].join(", ");
    let mut statement = store.prepare_cached(&format!("INSERT INTO sample VALUES ({places})"))?;
    bind(&mut statement)?;
    statement.raw_execute()?;
    let sql = format!("SELECT {SAMPLE_COLUMNS} FROM sample");
    store.prepare_cached(&sql)?.query_row([], sample_from_row)
}
