//! Polls over connections that are kept between them.

use std::time::Instant;

use super::{Hop, HttpCheck};
use crate::check::answer::{Question, Received};
use crate::check::exchange::exchange;
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
        if let Some(mut kept) = self.idle.take(hop.target, hop.address, Instant::now()) {
            let result = exchange(&mut kept.stream, request, question, progress).await;
            // Only a connection that breaks before any answer is worth a second try.
            if result.is_ok() || progress.step == Step::Transferring {
                progress.finding.is_reused = true;
                if progress.finding.certificate_until == 0 {
                    progress.finding.certificate_until = kept.certificate_until;
                }
                let received = result?;
                self.keep(hop, kept, &received);
                return Ok(received);
            }
        }
        let stream = self.open(hop, progress).await?;
        let certificate_until = match stream {
            Stream::Plain(_) => 0,
            Stream::Tls(_) => progress.finding.certificate_until,
        };
        let mut kept = Kept { stream, certificate_until };
        let received = exchange(&mut kept.stream, request, question, progress).await?;
        self.keep(hop, kept, &received);
        Ok(received)
    }

    fn keep(&self, hop: Hop<'_>, kept: Kept, received: &Received) {
        if received.is_lasting {
            self.idle.put(hop.target, hop.address, kept, Instant::now());
        }
    }
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
