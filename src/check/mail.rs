//! Speaks to a mail server by SMTP, IMAP or POP3.

use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::progress::Progress;
use crate::target::{MailProbe, Target};

/// Speaks to a mail server by SMTP, IMAP or POP3.
///
/// # Errors
/// What the target, or this machine, fails by.
#[expect(clippy::unused_async, reason = "it will wait for the network")]
pub(crate) async fn check(
    _network: &Network,
    _target: &Target,
    _probe: &MailProbe,
    _progress: &mut Progress,
) -> Result<(), Fault> {
    Err(Fault::setting())
}
