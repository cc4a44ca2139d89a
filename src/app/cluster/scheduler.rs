//! The role `scheduler`.

use super::Member;
use crate::app::role::RoleError;

/// Works as scheduler until it is to end.
///
/// # Errors
/// It could not begin, or not go on.
pub(super) async fn run(member: Member) -> Result<(), RoleError> {
    let _ = (member.kafka(), member.database()?);
    member.stop.cancelled().await;
    Ok(())
}
