//! `Checks`: checks of every kind, by what each target's plan asks for.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use serde_json::Map;

use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::options::{HttpOptions, SetupError};
use crate::check::plugin::{Context, Listener, Plugin};
use crate::check::progress::{Progress, Step};
use crate::check::resolve::{NamesFacts, Whereabouts};
use crate::check::watch::Reach;
use crate::check::{Check, HttpCheck, dns, http, icmp, mail, ssl, tcp};
use crate::outcome::Finding;
use crate::target::{Origin, OtherProbe, Probe, Target};

/// Checks targets of every kind; one serves any number of threads and runtimes.
pub struct Checks {
    network: Arc<Network>,
    http: HttpCheck,
    plugins: HashMap<String, Arc<dyn Plugin>>,
}

impl Checks {
    /// Checks that work by `options`; reads the environment's proxies.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, SetupError> {
        let network = Network::new(options)?;
        let http = HttpCheck::over(Arc::clone(&network))?;
        Ok(Self { network, http, plugins: HashMap::new() })
    }

    /// The same, with a further kind of check.
    #[must_use]
    pub fn with_plugin(mut self, plugin: Arc<dyn Plugin>) -> Self {
        self.plugins.insert(plugin.plugin_type().to_owned(), plugin);
        self
    }

    /// The names of the kinds that were added.
    pub fn plugin_types(&self) -> impl Iterator<Item = &str> {
        self.plugins.keys().map(String::as_str)
    }

    /// Where `target` is, as far as that is known, without waiting; else its name is asked for.
    #[must_use]
    pub fn locate(&self, target: &Target) -> Whereabouts {
        self.network.locate(target)
    }

    /// What is known of look-ups at this moment; cheap, and from any thread.
    #[must_use]
    pub fn names(&self) -> NamesFacts {
        self.network.names()
    }

    /// Has the system's settings for names (`/etc/resolv.conf`, `/etc/hosts`) be read again at
    /// once. Where other name servers are named now, every name is asked for anew by its next
    /// poll, and what was known of it serves meanwhile.
    pub fn refresh_names(&self) {
        self.network.refresh_names();
    }

    /// Makes the caches smaller, for want of memory: forgets names that were not polled lately,
    /// and closes the connections that are kept between polls.
    pub fn shrink_caches(&self) {
        self.network.shrink_caches();
    }

    /// Checks `target` within its timeout, and tells what was seen if there is a place for it.
    async fn find(
        &self,
        target: &Target,
        facts: Option<Box<Facts>>,
        listener: Option<&dyn Listener>,
    ) -> (Finding, Facts) {
        let started = tokio::time::Instant::now();
        let reach = Arc::<Reach>::default();
        let mut progress = Progress::new(started.into_std(), Arc::clone(&reach), facts);
        let deadline = started + target.timeout();
        let result = {
            let looked = pin!(self.look(target, listener, &mut progress));
            reach.watch(looked, started, deadline).await
        };
        let result = result.unwrap_or_else(|| Err(progress.timeout()));
        let result = result.map_err(|fault| self.network.blame(fault, target, &reach));
        if target.plan.probe == Probe::Http {
            http::conclude(&target.plan, result, &mut progress);
        }
        progress.end(result)
    }

    async fn look(
        &self,
        target: &Target,
        listener: Option<&dyn Listener>,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        let network = &*self.network;
        match &target.plan.probe {
            Probe::Http => self.http.poll(target, progress).await,
            Probe::Ssl(probe) => Box::pin(ssl::check(network, target, probe, progress)).await,
            Probe::Mail(probe) => Box::pin(mail::check(network, target, probe, progress)).await,
            Probe::Dns(probe) => Box::pin(dns::check(network, target, probe, progress)).await,
            Probe::Question(probe) => {
                Box::pin(dns::question::check(network, target, probe, progress)).await
            }
            Probe::Tcp(probe) => Box::pin(tcp::check(network, target, probe, progress)).await,
            Probe::Icmp(probe) => Box::pin(icmp::check(network, target, probe, progress)).await,
            Probe::Other(probe) => {
                let context = Context { target, listener };
                Box::pin(self.ask_plugin(probe, context, progress)).await
            }
        }
    }

    async fn ask_plugin(
        &self,
        probe: &OtherProbe,
        context: Context<'_>,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        progress.step = Step::Waiting;
        // Where it connects to is not ours to judge.
        if context.target.origin == Origin::Api {
            return Err(Fault::forbidden());
        }
        let Some(plugin) = self.plugins.get(&*probe.name) else { return Err(Fault::setting()) };
        let none = Map::new();
        let config = probe.config.0.as_object().unwrap_or(&none);
        let report = plugin.check(config, context).await;
        progress.tell(|facts| *facts = Facts { message: report.message, data: report.data });
        report.cause.map_or(Ok(()), |(cause, detail)| Err(Fault::new(cause, detail)))
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<_> = self.plugins.keys().collect();
        formatter.debug_struct("Checks").field("plugins", &plugins).finish_non_exhaustive()
    }
}

impl Check for Checks {
    type Facts = ();

    async fn check(&self, target: Arc<Target>) -> (Finding, ()) {
        (self.find(&target, None, None).await.0, ())
    }
}

/// The same checks, which tell what they saw.
#[derive(Clone)]
pub struct Telling {
    checks: Arc<Checks>,
    listener: Option<Arc<dyn Listener>>,
}

impl Telling {
    /// What `checks` see.
    #[must_use]
    pub const fn new(checks: Arc<Checks>) -> Self {
        Self { checks, listener: None }
    }

    /// The same, and what they say meanwhile goes to `listener`.
    #[must_use]
    pub fn to(self, listener: Arc<dyn Listener>) -> Self {
        Self { listener: Some(listener), ..self }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Telling").field(&self.checks).finish()
    }
}

impl Check for Telling {
    type Facts = Facts;

    async fn check(&self, target: Arc<Target>) -> (Finding, Facts) {
        self.checks.find(&target, Some(Box::default()), self.listener.as_deref()).await
    }
}
