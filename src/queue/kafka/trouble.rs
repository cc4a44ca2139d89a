//! What a client of Kafka hears of trouble with brokers, kept until somebody asks.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};

/// What one client has heard last.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    reason: Option<String>,
    is_refused: bool,
    /// Whether it says no more than that nobody is there.
    is_vague: bool,
}

impl Heard {
    /// What was heard last of trouble that has not passed.
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().reason.clone()
    }

    /// Whether that was a refusal, which waiting does not mend.
    pub(super) fn is_refused(&self) -> bool {
        self.0.lock().is_refused
    }

    /// Whether nothing better was heard than that nobody is there, as where brokers hang up on who
    /// does not speak as they do.
    pub(super) fn is_vague(&self) -> bool {
        let last = self.0.lock();
        last.is_vague || last.reason.is_none()
    }

    /// Brokers do what they are asked.
    pub(super) fn forget(&self) {
        let mut last = self.0.lock();
        if last.reason.is_some() {
            *last = Last::default();
        }
    }

    /// Takes in `reason` for what has the number `code`.
    pub(super) fn note(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        tracing::debug!(reason, "Kafka");
        let is_refused = is_refusal(code, reason);
        let mut last = self.0.lock();
        // That all brokers are down follows from what was told before it, which says why.
        let is_vague = code == Some(RDKafkaErrorCode::AllBrokersDown);
        let is_covered = is_vague && last.reason.is_some();
        if is_refused || !(last.is_refused || is_covered) {
            *last = Last { reason: Some(reason.to_owned()), is_refused, is_vague };
        }
    }
}

/// What librdkafka says when the network failed below TLS.
const BROKEN_OFF: &str = "SSL transport error";

/// Whether `reason`, which has the number `code`, is a refusal, which waiting does not mend.
pub(super) fn is_refusal(code: Option<RDKafkaErrorCode>, reason: &str) -> bool {
    use RDKafkaErrorCode as Code;
    // A broker that wants another certificate of us says so by an alert (RFC 8446, section 6).
    if reason.contains("SSL alert number") {
        return true;
    }
    match code {
        Some(Code::SSL) => !reason.contains(BROKEN_OFF),
        Some(
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => true,
        _ => false,
    }
}

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, _: &str, text: &str) {
        tracing::debug!(text, "Kafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(error.rdkafka_error_code(), reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_covered_by_what_follows_from_it() {
        let heard = Heard::default();
        heard.note(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(heard.is_vague());
        heard.note(Some(RDKafkaErrorCode::BrokerTransportFailure), "connection refused");
        assert!(!heard.is_vague());
        heard.note(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(heard.last().as_deref(), Some("connection refused"));
        heard.note(Some(RDKafkaErrorCode::Authentication), "wrong password");
        heard.note(Some(RDKafkaErrorCode::BrokerTransportFailure), "disconnected");
        assert_eq!(heard.last().as_deref(), Some("wrong password"));
        assert!(heard.is_refused());
        heard.forget();
        assert_eq!((heard.last(), heard.is_refused()), (None, false));
    }

    #[test]
    fn a_certificate_is_refused_and_a_connection_that_breaks_off_is_not() {
        use RDKafkaErrorCode as Code;
        let told = |code, reason: &str| {
            let heard = Heard::default();
            heard.note(Some(code), reason);
            heard.is_refused()
        };
        for reason in [
            "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
            "SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
            "Broker did not provide a certificate",
        ] {
            assert!(told(Code::SSL, reason), "{reason}");
        }
        let alert = "Receive failed: tlsv13 alert certificate required: SSL alert number 116";
        assert!(told(Code::BrokerTransportFailure, alert));
        let broken = "SSL handshake failed: SSL transport error: Connection timed out";
        assert!(!told(Code::SSL, broken));
    }
}
