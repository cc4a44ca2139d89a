//! Finding what there is of a name, which may stand for several whole ones.

use std::future::Future;

use hickory_resolver::proto::rr::{Name, RecordType};

use super::cache::News;
use super::exchange::Asker;
use super::families::{Addressed, Families, Family};
use super::records::{FAILURE, Found, NEGATIVE, Said, exchangers};
use super::{Exchanger, Records};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// Aliases of which servers say nothing beside them, that are asked for at most.
const ALIASES: usize = 8;

/// What is found of the first of `names` that there is: its addresses of `families`, else the
/// hosts that take its mail.
pub(super) async fn find(asker: &Asker, names: Vec<Name>, families: Option<Families>) -> News {
    match first_found(names, |name| ask(asker, name, families)).await {
        Ok(((records, lacks), hold)) => News { result: Ok(records), hold, lacks },
        Err((fault, hold)) => News { result: Err(fault), hold, lacks: None },
    }
}

/// What is found of the first of `names` that there is.
async fn first_found<T, F: Future<Output = Found<T>>>(
    names: Vec<Name>,
    ask: impl Fn(Name) -> F,
) -> Found<T> {
    // A name that cannot be asked for is nobody's.
    let mut failed = (Fault::new(Cause::Dns, Detail::NoSuchName), NEGATIVE.1);
    for (number, name) in names.into_iter().enumerate() {
        match ask(name).await {
            Err((fault, hold)) if fault.cause == Cause::Dns => {
                // That there is no such name is no news beside another failure.
                if number == 0 || failed.0.detail == Detail::NoSuchName {
                    failed = (fault, hold);
                }
            }
            ended => return ended,
        }
    }
    Err(failed)
}

/// What there is of a whole name, and the family of which it has no address.
async fn ask(
    asker: &Asker,
    name: Name,
    families: Option<Families>,
) -> Found<(Records, Option<Family>)> {
    let Some(families) = families else {
        let (hosts, hold) = ask_for_exchangers(asker, name).await?;
        return Ok(((Records::Exchangers(hosts.into()), None), hold));
    };
    let Addressed { found, lacks } = families.ask(asker, &name).await;
    let (addresses, hold) = found?;
    Ok(((Records::Addresses(addresses.into()), lacks), hold))
}

async fn ask_for_exchangers(asker: &Asker, mut name: Name) -> Found<Vec<Exchanger>> {
    for _ in 0..ALIASES {
        let answer = asker.ask(&name, RecordType::MX).await;
        match exchangers(&answer.map_err(|fault| (fault, FAILURE))?, &name) {
            Said::Found(found) => return found,
            Said::Alias(next) => name = next,
        }
    }
    Ok((Vec::new(), NEGATIVE.1))
}

#[cfg(test)]
mod tests {
    use super::super::records::POSITIVE;
    use super::*;

    #[tokio::test]
    async fn the_first_name_that_there_is_counts_and_a_failure_more_than_that_there_is_none() {
        let names = |texts: &[&str]| -> Vec<Name> {
            texts.iter().map(|text| Name::from_ascii(text).expect("a name")).collect()
        };
        let dns = |detail| Err((Fault::new(Cause::Dns, detail), NEGATIVE.0));
        let ask = |name: Name| {
            std::future::ready(match name.to_string().as_str() {
                "good." => Ok((vec![[192, 0, 2, 1]], POSITIVE.0)),
                "broken." => dns(Detail::ServerFailure),
                "silent." => Err((Fault::unanswered(), FAILURE)),
                _ => dns(Detail::NoSuchName),
            })
        };
        let detail = async |texts: &[&str]| {
            let found = first_found(names(texts), ask).await;
            found.map(|(addresses, _)| addresses.len()).map_err(|(fault, _)| fault.detail)
        };
        assert_eq!(detail(&["none.", "broken.", "good."]).await, Ok(1));
        assert_eq!(detail(&["none.", "broken.", "none."]).await, Err(Detail::ServerFailure));
        assert_eq!(detail(&["silent.", "good."]).await, Err(Detail::Unanswered));
        assert_eq!(detail(&["none."]).await, Err(Detail::NoSuchName));
        assert_eq!(detail(&[]).await, Err(Detail::NoSuchName));
    }
}
