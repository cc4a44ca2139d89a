//! What a checker says when it is not let in.

use crate::cluster::eventually;
use crate::engines::{Brokers, Kafka, Security, USER};
use crate::member::Member;

pub(crate) async fn no_broker_is_waited_for() {
    let mut member = Member::spawn(&["--kafka", "127.0.0.1:1"]);
    assert!(
        eventually(|| member.said().contains("no broker of Kafka answers")),
        "{}",
        member.said()
    );
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(member.said().matches("no broker").count(), 1, "{}", member.said());
    // It asks again, which takes ten seconds: who is asked to end does not wait for that.
    let asked = std::time::Instant::now();
    assert!(member.drain().success(), "{}", member.said());
    let took = asked.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}: {}", member.said());
}

pub(crate) fn who_speaks_plainly_to_brokers_that_want_a_password_hears_of_it() {
    let kafka = Kafka::start(Brokers::One, Security::Sasl);
    let mut member = Member::spawn(&["--kafka", kafka.bootstrap()]);
    assert!(eventually(|| member.said().contains("see --kafka-ca")), "{}", member.said());
    assert!(member.drain().success(), "{}", member.said());
}

pub(crate) fn a_wrong_password_ends_it() {
    let kafka = Kafka::start(Brokers::One, Security::Sasl);
    let options = ["--kafka", kafka.bootstrap(), "--kafka-sasl", "scram-sha256"];
    let login = ["--kafka-user", USER, "--kafka-password", "wrong"];
    let mut member = Member::spawn(&[options, login].concat());
    assert_eq!(member.ended().code(), Some(1), "{}", member.said());
    let said = member.said();
    assert!(said.contains("Kafka refuses") && !said.contains("wrong\n"), "{said}");
}

pub(crate) fn a_wrong_authority_ends_it() {
    let (kafka, other) =
        (Kafka::start(Brokers::One, Security::Tls), Kafka::start(Brokers::One, Security::Tls));
    let file = |name| other.directory().join(name).display().to_string();
    let (ca, cert, key) = (file("ca.pem"), file("service.cert"), file("service.key"));
    let options = ["--kafka", kafka.bootstrap(), "--kafka-ca", &ca];
    let shown = ["--kafka-cert", &cert, "--kafka-key", &key];
    let mut member = Member::spawn(&[options, shown].concat());
    assert_eq!(member.ended().code(), Some(1), "{}", member.said());
    assert!(member.said().contains("certificate"), "{}", member.said());
}
