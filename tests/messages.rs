//! Holds that `docs/messages.proto` says of the messages what the program writes.

#![expect(clippy::expect_used, reason = "a document that is not as expected fails the test")]

use std::collections::BTreeMap;

/// Fields of each message: name, type and number, in the order of their numbers.
type Messages = BTreeMap<String, BTreeMap<u32, (String, String)>>;

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the document says.
fn documented() -> Messages {
    let mut messages = Messages::new();
    let mut message = String::new();
    for line in file("docs/messages.proto").lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix("message ").and_then(|rest| rest.strip_suffix(" {")) {
            name.clone_into(&mut message);
        }
        let field = line.strip_suffix(';').and_then(|line| line.split_once(" = "));
        let Some((field, number)) = field.filter(|_| !message.is_empty()) else { continue };
        let (kind, name) = field.rsplit_once(' ').expect("a type and a name");
        let number = number.parse().expect("a number");
        let fields = messages.entry(message.clone()).or_default();
        assert!(fields.insert(number, (name.to_owned(), kind.to_owned())).is_none(), "{line}");
    }
    messages
}

/// What the program writes, from the attributes of its types.
fn written() -> Messages {
    let mut messages = Messages::new();
    let (mut message, mut attribute) = (String::new(), None);
    for line in file("src/queue/kafka/messages.rs").lines().map(str::trim) {
        if let Some(name) =
            line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {"))
        {
            name.clone_into(&mut message);
        } else if line == "pub enum Told {" {
            "Report".clone_into(&mut message);
        } else if let Some(said) = line.strip_prefix("#[prost(") {
            attribute = said.strip_suffix(")]").filter(|said| !said.starts_with("oneof"));
        } else if let Some(said) = attribute.take() {
            let words: Vec<&str> = said.split(", ").collect();
            let number =
                words.iter().find_map(|word| word.strip_prefix("tag = \"")).expect("a tag");
            let number = number.trim_end_matches('"').parse().expect("a number");
            let name = line.trim_start_matches("pub ");
            let (name, kind) = match name.split_once(['(', ':']) {
                // A choice of a report is called after its type.
                Some((choice, rest)) if words.contains(&"message") => {
                    (choice.to_lowercase(), rest.trim_end_matches("),").to_owned())
                }
                Some((name, _)) => (name.to_owned(), kind_of(&words)),
                None => panic!("{line}"),
            };
            messages.entry(message.clone()).or_default().insert(number, (name, kind));
        }
    }
    messages
}

/// The type of a field as Protocol Buffers name it.
fn kind_of(words: &[&str]) -> String {
    let first = words.first().copied().unwrap_or_default();
    let kind = if first.starts_with("bytes") { "bytes" } else { first };
    if words.contains(&"repeated") { format!("repeated {kind}") } else { kind.to_owned() }
}

#[test]
fn the_document_of_the_messages_says_what_is_written() {
    let (documented, written) = (documented(), written());
    assert_eq!(written.len(), 6, "{written:?}");
    assert_eq!(documented, written);
}
