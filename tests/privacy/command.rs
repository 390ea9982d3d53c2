//! `rtvoice pii`: lines in, lines out, in order, within bounds.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rtvoice::ops::pii::{PiiCommand, run};
use serde_json::{Value, json};

/// What comes out, what was complained of, whether all was good.
fn through(command: PiiCommand, input: &[u8]) -> (Vec<Value>, String, bool) {
    let (mut output, mut complaints) = (Vec::new(), Vec::new());
    let good = run(command, &mut &*input, &mut output, &mut complaints).unwrap();
    let lines = String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, String::from_utf8(complaints).unwrap(), good)
}

#[test]
fn places_are_code_points_and_ids_come_back_as_they_were() {
    let input =
        "{\"id\":\"a\\u0041\",\"text\":\"né — call 425-555-0123\",\"spans\":[]}\n{\"id\":7,\"text\":\"nothing\"}\n\n{\"text\":\"my pin is 1234\",\"id\":1.50}";
    let (lines, complaints, good) = through(PiiCommand::Detect, input.as_bytes());
    assert_eq!(lines[0], json!({"id": "aA", "spans": [{"start": 10, "end": 22, "label": "PHONE_NUMBER", "score": 0.75}]}));
    assert_eq!(lines[1], json!({"id": 7, "spans": []}));
    assert_eq!(lines[2]["spans"][0]["label"], "PIN");
    assert_eq!((complaints.as_str(), good), ("", true));
    let mut output = Vec::new();
    run(PiiCommand::Mask, &mut &b"{\"id\":1.50,\"text\":\"say \\\"4255550123\\\"\"}"[..], &mut output, &mut Vec::new()).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), "{\"id\":1.50,\"text\":\"say \\\"[PHONE_NUMBER]\\\"\"}\n");
}

#[test]
fn bad_lines_are_told_by_number_and_the_rest_goes_on() {
    let mut input = b"{\"id\":1,\"text\":\"a\"}\nno json 4255550123\n{\"id\":2}\n{\"id\":[],\"text\":\"b\"}\n{\"id\":3,\"text\":5}\n[1]\n{\"id\":4,\"text\":\"c\",\"call\":{}}\n".to_vec();
    input.extend(b"{\"id\":5,\"text\":\"\xff\"}\n{\"id\":6,\"text\":\"\\ud800\"}\n{\"id\":7,\"text\":\"z\"}\n");
    let (lines, complaints, good) = through(PiiCommand::Mask, &input);
    assert!(!good);
    assert_eq!(lines, [json!({"id": 1, "text": "a"}), json!({"id": 7, "text": "z"})]);
    let told: Vec<&str> = complaints.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(told, [" line 2", " line 3", " line 4", " line 5", " line 6", " line 7", " line 8", " line 9"]);
    assert!(!complaints.contains("425"), "{complaints}");
}

#[test]
fn lines_of_a_call_are_read_together_whoever_spoke() {
    let input = [
        json!({"id": 1, "call": "c", "text": "my number is four two five five five five"}),
        json!({"id": 2, "call": "d", "text": "hello"}),
        json!({"id": 3, "call": "c", "text": "okay go on"}),
        json!({"id": 4, "text": "no call"}),
        json!({"id": 5, "call": "c", "text": "oh one two three"}),
        json!({"id": 6, "call": "d", "text": "oh one two three"}),
    ];
    let input: String = input.iter().map(|line| format!("{line}\n")).collect();
    let (lines, _, good) = through(PiiCommand::Mask, input.as_bytes());
    assert!(good);
    let asked = "{\"id\":1,\"call\":1,\"text\":\"And what is your PIN?\"}\n{\"id\":2,\"call\":1,\"text\":\"it's four two one one\"}\n";
    assert_eq!(through(PiiCommand::Mask, asked.as_bytes()).0[1]["text"], "it's [PIN]");
    let texts: Vec<&str> = lines.iter().map(|l| l["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["my number is [PHONE_NUMBER]", "hello", "okay go on", "no call", "[PHONE_NUMBER]", "oh one two three"]);
    assert_eq!(lines.iter().map(|l| l["id"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn who_asks_is_told_from_what_is_said() {
    for (question, answer, expected) in [
        ("may i ask who's calling", "quentin baptiste please", "[PERSON_NAME] please"),
        ("what is the name on the card", "um gerald brandt", "um [PERSON_NAME]"),
        ("leticia and your last name", "hargrove", "[PERSON_NAME]"),
        ("could i get the patient's date of birth", "sure 21 december 1977", "sure [DATE_OF_BIRTH]"),
        ("i need the full social to verify", "two three oh one nine six one nine eight", "[US_SSN]"),
        ("okay and the account number please", "it's 94650486", "it's [ACCOUNT_NUMBER]"),
        // Whoever speaks of what is his own asks nothing.
        ("is this about my card", "anna please", "anna please"),
        ("can you check my name", "the blue one", "the blue one"),
    ] {
        let input = format!("{}\n{}\n", json!({"id": 1, "call": 1, "text": question}), json!({"id": 2, "call": 1, "text": answer}));
        assert_eq!(through(PiiCommand::Mask, input.as_bytes()).0[1]["text"], expected, "{question}");
    }
}

#[test]
fn what_waits_is_bounded_and_keeps_its_order() {
    let mut input = String::new();
    for n in 0..30_000 {
        let text = if n % 3 == 0 { "it is four two five five" } else { "well" };
        input.push_str(&format!("{{\"id\":{n},\"call\":\"c{}\",\"text\":\"{text}\"}}\n", n % 9000));
    }
    let (lines, _, good) = through(PiiCommand::Detect, input.as_bytes());
    assert!(good && lines.len() == 30_000);
    assert!(lines.iter().enumerate().all(|(n, line)| line["id"] == json!(n)));
}

#[test]
fn a_line_may_be_long() {
    let text = "my number is 425-555-0123 and we talked for a long time about it. ".repeat(20_000);
    let input = format!("{}\n", json!({"id": 1, "call": "x", "text": text}));
    let (lines, _, _) = through(PiiCommand::Detect, input.as_bytes());
    assert_eq!(lines[0]["spans"].as_array().unwrap().len(), 20_000);
}

fn spawn(arguments: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_rtvoice")).args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_exit_code_tells_of_bad_lines() {
    for (input, code) in [("{\"id\":1,\"text\":\"a\"}\n", 0), ("{}\n", 1), ("", 0)] {
        let mut child = spawn(&["pii", "detect"]);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{input}");
    }
    assert_eq!(spawn(&["pii", "shred"]).wait_with_output().unwrap().status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = spawn(&["pii", "mask"]);
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || while input.write_all(b"{\"id\":1,\"text\":\"some text that is long enough\"}\n").is_ok() {});
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}
