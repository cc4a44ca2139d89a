//! Pauses of a cluster's targets that come over the API.

use super::View;
use crate::api::{PauseWish, Refusal, Selection};
use crate::app::changes::wished;
use crate::clock::rfc3339;
use crate::store::postgres::pauses::{Meant, PauseChange, PausesMade};
use crate::target::{Target, TargetId};
use crate::view::Paused;

impl View {
    pub(super) fn pause(&self, who: &Selection, wish: PauseWish) -> Result<Paused, Refusal> {
        let (until_ms, reason) = wished(wish, self.now_ms())?;
        let ids = self.change_pauses(who, PauseChange::Begin { until_ms, reason: &reason })?;
        Ok(Paused { ids, paused_until: until_ms.map(rfc3339), reason: Some(reason) })
    }

    pub(super) fn resume(&self, who: &Selection) -> Result<Paused, Refusal> {
        let ids = self.change_pauses(who, PauseChange::End)?;
        Ok(Paused { ids, paused_until: None, reason: None })
    }

    /// Makes `change` of the targets that `who` means; tells their ids as users see them.
    fn change_pauses(
        &self,
        who: &Selection,
        change: PauseChange<'_>,
    ) -> Result<Vec<String>, Refusal> {
        let named = match who {
            Selection::Ids(ids) => ids.as_slice(),
            Selection::Label(..) => &[],
        };
        let ids: Vec<[TargetId; 2]> = named.iter().map(|id| Target::ids_meant(id)).collect();
        let meant = match who {
            Selection::Ids(_) => Meant::Ids(&ids),
            Selection::Label(name, value) => Meant::Label(name, value),
        };
        match self.written(self.writer.change_pauses(meant, change))? {
            PausesMade::Of(ids) => Ok(ids),
            PausesMade::Unknown(places) => {
                let unknown = places.iter().filter_map(|place| named.get(*place)).cloned();
                Err(Refusal::Unknown(unknown.collect()))
            }
        }
    }
}
