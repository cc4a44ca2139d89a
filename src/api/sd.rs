//! `sd`: the targets as Prometheus finds them by HTTP service discovery.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_stream::Stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::query::{bad, pairs};
use super::routes::Routes;
use crate::target::{State as Health, Target};
use crate::view::{Discovered, TargetQuery};

/// Bytes of a piece of the answer, about.
const PIECE: usize = 64 << 10;

/// The targets, for service discovery.
pub trait Discovery: Send + Sync + 'static {
    /// Those of the next targets behind the number `after` that `query` asks for; it looks at a
    /// few hundred, so that it holds no lock for long.
    ///
    /// # Errors
    /// Why they cannot be read now.
    fn some(&self, query: &TargetQuery, after: u32) -> Result<Found, String>;
}

/// What was found among some targets.
#[derive(Debug)]
pub struct Found {
    /// The targets that were asked for, and their states.
    pub targets: Vec<(Arc<Target>, Health)>,
    /// Behind which number to go on; none: there are no more.
    pub next: Option<u32>,
}

/// The route of service discovery.
pub(super) fn routes(discovery: Arc<dyn Discovery>) -> Routes {
    let read = OpenApiRouter::new().routes(routes!(discover)).with_state(discovery);
    Routes { read, ..Routes::default() }
}

/// The targets as Prometheus finds them by HTTP service discovery, to probe them by `/probe`.
#[utoipa::path(
    get, path = "/api/v1/sd", tag = "metrics",
    params(
        ("state" = Option<String>, Query, description = "Only those in this state: up, warning, down, unknown, pending or paused"),
        ("label" = Option<String>, Query, description = "Only those with this label, NAME=VALUE; may be repeated"),
    ),
    responses(
        (status = 200, description = "All targets that are asked for", body = [Discovered]),
        (status = 503, description = "They cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn discover(
    State(behind): State<Arc<dyn Discovery>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let query = Arc::new(read(&query)?);
    let mut pieces = Pieces { behind, query, job: None, first: None, place: Place::Start };
    // What cannot be read is said at once, while there is still another answer.
    let failed = |error: Unread| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let first = std::future::poll_fn(|context| pieces.made(context)).await.map_err(failed)?;
    pieces.first = Some(first);
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([kind], Body::from_stream(pieces)).into_response())
}

fn read(query: &RawQuery) -> Result<TargetQuery, Problem> {
    let mut asked = TargetQuery::default();
    for (name, value) in pairs(query) {
        match name.as_str() {
            "state" => {
                let found = Health::ALL.iter().find(|state| state.as_str() == value);
                let names = || Health::ALL.iter().map(|state| state.as_str());
                let slip =
                    || bad(format!("state is one of {}", names().collect::<Vec<_>>().join(", ")));
                asked.state = Some(*found.ok_or_else(slip)?);
            }
            "label" => match value.split_once('=') {
                Some((key, value)) => asked.labels.push((key.to_owned(), value.to_owned())),
                None => return Err(bad(format!("label is NAME=VALUE, not {value:?}"))),
            },
            _ => {
                let known = "state and label are the ones";
                return Err(bad(format!("there is no parameter {name:?}; {known}")));
            }
        }
    }
    Ok(asked)
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// Behind this target; whether one was written before.
    Behind(u32, bool),
    End,
}

/// The answer, piece by piece: each is made when the one before it has been sent.
struct Pieces {
    behind: Arc<dyn Discovery>,
    query: Arc<TargetQuery>,
    job: Option<JoinHandle<Result<(Bytes, Place), Unread>>>,
    /// What is made already.
    first: Option<Bytes>,
    place: Place,
}

/// Why an answer ends before its end. What was sent of it is no JSON then, which nobody takes for all
/// targets.
#[derive(Debug, thiserror::Error)]
#[error("the targets cannot be read: {0}")]
struct Unread(String);

impl Pieces {
    /// Makes the next piece.
    fn made(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Unread>> {
        let (behind, query, place) = (&self.behind, &self.query, self.place);
        let job = self.job.get_or_insert_with(|| {
            let (behind, query) = (Arc::clone(behind), Arc::clone(query));
            tokio::task::spawn_blocking(move || piece(&*behind, &query, place))
        });
        let made = ready!(Pin::new(job).poll(context));
        self.job = None;
        let made = made.unwrap_or_else(|error| Err(Unread(error.to_string())));
        self.place = made.as_ref().map_or(Place::End, |(_, place)| *place);
        Poll::Ready(made.map(|(bytes, _)| bytes))
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, Unread>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.place == Place::End {
            return Poll::Ready(None);
        }
        self.made(context).map(Some)
    }
}

/// The next piece from `place` on, and how far it comes.
fn piece(
    behind: &dyn Discovery,
    query: &TargetQuery,
    place: Place,
) -> Result<(Bytes, Place), Unread> {
    let mut text = Vec::with_capacity(PIECE + PIECE / 4);
    let (mut after, mut is_further) = match place {
        Place::Start => {
            text.push(b'[');
            (0, false)
        }
        Place::Behind(after, is_further) => (after, is_further),
        Place::End => return Ok((Bytes::new(), Place::End)),
    };
    while text.len() < PIECE {
        let found = behind.some(query, after).map_err(Unread)?;
        for (target, state) in &found.targets {
            text.extend_from_slice(if is_further { b",\n" } else { b"" });
            is_further = true;
            // It is made of texts alone, which JSON can always tell.
            let _ = serde_json::to_writer(&mut text, &Discovered::of(target, *state));
        }
        let Some(next) = found.next else {
            text.extend_from_slice(b"]\n");
            return Ok((text.into(), Place::End));
        };
        after = next;
    }
    Ok((text.into(), Place::Behind(after, is_further)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::target::{Origin, Plan, Priority, Seat, TargetId};
    use tokio_stream::StreamExt as _;

    /// Tells pages of no targets, until one cannot be read.
    struct Pages {
        good: u32,
    }

    impl Discovery for Pages {
        fn some(&self, _: &TargetQuery, after: u32) -> Result<Found, String> {
            let target = Target {
                number: after,
                id: TargetId(after.into()),
                given_id: None,
                name: None,
                address: Address::parse("http://localhost/").expect("a good address"),
                every_ms: 10_000,
                timeout_ms: 1_000,
                priority: Priority::Normal,
                plan: Arc::new(Plan::default()),
                labels: Arc::default(),
                origin: Origin::default(),
                seat: Seat::default(),
            };
            let targets = vec![(Arc::new(target), Health::Up)];
            let found = Found { targets, next: Some(after + 1) };
            if after < self.good { Ok(found) } else { Err("the disk is away".to_owned()) }
        }
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_read_is_no_end_of_the_list() {
        let asked = |good| discover(State(Arc::new(Pages { good })), RawQuery(None));
        let problem = asked(0).await.expect_err("nothing was sent yet");
        assert_eq!(problem.status, 503);
        let answer = asked(2_000).await.expect("it began");
        let mut body = answer.into_body().into_data_stream();
        let mut last = None;
        while let Some(piece) = body.next().await {
            last = Some(piece.map(|bytes| bytes.len()));
        }
        assert!(last.is_some_and(|last| last.is_err()), "it ended well");
    }

    #[test]
    fn a_query_names_states_and_labels_or_is_refused() {
        let query = |text: &str| RawQuery(Some(text.to_owned()));
        let asked = read(&query("state=down&label=team%3Dweb")).expect("good");
        assert_eq!((asked.state, asked.labels.len()), (Some(Health::Down), 1));
        for slip in ["state=dwon", "label=team", "limit=1"] {
            assert_eq!(read(&query(slip)).expect_err(slip).status, 400);
        }
    }
}
