//! Polls over connections that are kept between them.

use std::time::{Duration, Instant};

use super::{Hop, HttpCheck, hops};
use crate::check::answer::{Question, Received};
use crate::check::exchange::{exchange, exchange_within};
use crate::check::fault::Fault;
use crate::check::idle::Kept;
use crate::check::progress::{Progress, Step};
use crate::check::stream::Stream;
use crate::target::{Connection, Proxy};

impl HttpCheck {
    /// Asks over the connection of the poll before, and once over a new one if that is gone.
    pub(super) async fn visit_reusing(
        &self,
        hop: Hop<'_>,
        request: &[u8],
        question: &Question<'_>,
        progress: &mut Progress,
    ) -> Result<Received, Fault> {
        if let Some(mut kept) = self.network.idle.take(hop.target, hop.address, Instant::now()) {
            // One that a firewall forgot is silent: that is told long before the time is over, but
            // not of a server that is known to be slow.
            let patience = (hop.target.timeout() / 3).max(2 * kept.waited);
            let waited_before = waited(progress);
            progress.reach.go(kept.there)?;
            let stream = &mut kept.stream;
            let result = exchange_within(patience, stream, request, question, progress).await;
            // Only a connection that breaks before any answer is worth a second try.
            if let Some(result) = result
                && (result.is_ok() || progress.step == Step::Transferring)
            {
                progress.finding.is_reused = true;
                hops::reuses(&kept.stream, kept.certificate_until, progress);
                if progress.finding.certificate_until == 0 {
                    progress.finding.certificate_until = kept.certificate_until;
                }
                let received = result?;
                let waited_now = waited(progress).saturating_sub(waited_before);
                kept.waited = kept.waited.max(waited_now);
                self.keep(hop, kept, &received);
                return Ok(received);
            }
            // In vain, but for an answer.
            let lap = progress.lap();
            progress.finding.phases.first_byte.add(lap);
        }
        let waited_before = waited(progress);
        let stream = self.open(hop, progress).await?;
        let certificate_until = match stream {
            Stream::Plain(_) => 0,
            Stream::Tls(_) => progress.finding.certificate_until,
        };
        let there = progress.reach.there();
        let mut kept = Kept { stream, certificate_until, waited: Duration::ZERO, there };
        let received = exchange(&mut kept.stream, request, question, progress).await?;
        kept.waited = waited(progress).saturating_sub(waited_before);
        self.keep(hop, kept, &received);
        Ok(received)
    }

    fn keep(&self, hop: Hop<'_>, kept: Kept, received: &Received) {
        if received.is_lasting {
            self.network.idle.put(hop.target, hop.address, kept, Instant::now());
        }
    }
}

/// How long answers took to begin so far.
fn waited(progress: &Progress) -> Duration {
    Duration::from_micros(progress.finding.phases.first_byte.get().unwrap_or(0).into())
}

/// Whether a hop may go over a connection that stands: it must be the first one, as one is kept
/// for each target, and it must do no harm to ask twice.
pub(super) fn may_reuse(hop: Hop<'_>, progress: &Progress) -> bool {
    let plan = &*hop.target.plan;
    plan.connection == Connection::Reuse
        && progress.finding.redirects == 0
        && plan.proxy == Proxy::Direct
        && matches!(hop.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
}
