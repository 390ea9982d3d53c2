//! What pure code costs: envelopes, events, masking, lines of calls, sealing. `cargo bench`; paths that need servers are measured by
//! `rtvoice bench paths`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use rtvoice::config::{Environment, StorePii};
use rtvoice::host::envelope::Envelope;
use rtvoice::model::acs;
use rtvoice::model::conversation::{Entry, Window, Words};
use rtvoice::model::ids::CallId;
use rtvoice::ops::pii::{self, PiiCommand};
use rtvoice::ports::clock::{Clock, SystemClock};
use rtvoice::ports::documents::Documents;
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::root_key::file::FileKeys;
use rtvoice::privacy::cipher::CallCipher;
use rtvoice::privacy::detect;
use rtvoice::privacy::envelope::Place;
use rtvoice::privacy::vault::Vault;
use rtvoice::steps::masking::{Talk, hear};
use serde_json::{Value, json};

/// What a caller says, without and with something personal in it.
const PLAIN: &str = "It should have come on Tuesday, or on Wednesday at the latest, and nobody has called me about it so far";
const PERSONAL: &str = "my phone number is four two five five five five oh one eight seven and you can write to quill.farthing@example.org";

/// Turns of a call, as they are kept.
const CALL: [(&str, &str); 10] = [
    ("hi i'm calling about an order that has not arrived", "I'm sorry to hear that. Could you tell me your order number, please?"),
    ("yes it's one zero four seven two nine", "Thank you. I can see the order; it left on Monday. May I have your name?"),
    ("sure my name is [PERSON_NAME]", "Thank you. And what is the best number to reach you on?"),
    ("it's [PHONE_NUMBER]", "Great, I have noted that. What seems to be the problem with the delivery?"),
    ("it should have come on tuesday or on wednesday at the latest", "I understand. The carrier reports a delay at the depot in your area."),
    ("can you tell me when it will be here", "The new estimate is Friday between nine and twelve in the morning."),
    ("i am not at home on friday", "Would Saturday suit you better? The carrier delivers until two in the afternoon."),
    ("okay and can i get something back for the delay", "I can offer you a voucher of ten dollars for your next order."),
    ("good because my old card has expired", "You can change the card in your account at any time before it ships."),
    ("i'll do that tonight", "Perfect. Is there anything else I can help you with today?"),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    envelopes(&mut criterion);
    events(&mut criterion);
    masking(&mut criterion);
    hearing(&mut criterion);
    lines(&mut criterion);
    sealing(&mut criterion);
    criterion.final_summary();
}

fn envelopes(criterion: &mut Criterion) {
    let turn = json!({ "turnId": "t1", "text": PLAIN, "language": "en-US" }).to_string();
    let request = json!({ "Url": "http://localhost:7071/api/calls/call-1/turns", "Method": "POST", "Query": {}, "Headers": { "Content-Type": ["application/json"] }, "Params": {}, "Body": turn });
    let http = json!({ "Data": { "req": request }, "Metadata": {} }).to_string();
    let message = "eyJraW5kIjoidHVybiIsImNhbGxDb25uZWN0aW9uSWQiOiJjYWxsLTEiLCJ0ZXh0IjoiZ29vZCBtb3JuaW5nIn0=".repeat(8);
    let message = json!({ "Data": { "message": message.replace('=', "") }, "Metadata": { "MessageId": "\"m-1\"", "DeliveryCount": "\"1\"" } }).to_string();
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(Throughput::Bytes(http.len() as u64));
    group.bench_function("http", |b| b.iter(|| Envelope::parse(black_box(http.as_bytes())).and_then(|envelope| envelope.http("req"))));
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("message", |b| b.iter(|| Envelope::parse(black_box(message.as_bytes())).and_then(|envelope| envelope.binary("message"))));
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let data = json!({ "callConnectionId": "call-1", "serverCallId": "server-call", "correlationId": "correlation" });
    let event = json!([{ "specversion": "1.0", "id": "e-1", "source": "calling/callConnections/call-1", "type": "Microsoft.Communication.CallConnected", "time": "2026-01-01T00:00:00Z", "data": data }]);
    let text = event.to_string();
    criterion.bench_function("event/parse", |b| {
        b.iter(|| {
            let value: Value = serde_json::from_str(black_box(&text)).expect("JSON");
            acs::events(&value)
        });
    });
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("masking");
    for (name, text) in [("plain", PLAIN), ("personal", PERSONAL)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| detect::mask(black_box(text), &detect::detect(black_box(text)))));
    }
    group.finish();
}

/// A turn in a call of 20 entries.
fn hearing(criterion: &mut Criterion) {
    let (mut window, talk) = (Window::default(), Talk::default());
    for (n, (said, answered)) in CALL.iter().cycle().take(20).enumerate() {
        let words = Words { user: Some((*said).to_owned()), assistant: Some((*answered).to_owned()), ..Words::default() };
        window.seqs.push(n as u64);
        window.entries.push(Entry { turn_id: format!("t{n}"), words, ..Entry::default() });
    }
    let mut group = criterion.benchmark_group("hear");
    for (name, text) in [("plain", PLAIN), ("personal", PERSONAL), ("part", "five five five oh one two three")] {
        group.bench_function(name, |b| b.iter(|| hear(&talk, black_box(&window), black_box(text), talk.bearing(text), StorePii::Masked)));
    }
    group.finish();
}

/// Lines of calls that are dense in values, as `rtvoice pii detect` reads them; throughput counts the characters of the texts.
fn lines(criterion: &mut Criterion) {
    let spoken = [
        "sure my card number is four five three nine one four eight eight oh three four three six four six seven",
        "it is anna dot smith at example dot com and my phone is four two five five five five oh one two three",
        "my social is one two three four five six seven eight nine and i was born on march third nineteen eighty four",
        "my name is anna smith s m i t h and my pin is four two one one",
    ];
    let parts = ["my number is four two five", "five five five", "oh one two three", "and the card is four five three nine", "one four eight eight"];
    let mut group = criterion.benchmark_group("lines");
    for (name, texts) in [("dense", &spoken[..]), ("parts", &parts[..])] {
        let said: Vec<(usize, &str)> = (0..200).flat_map(|call| texts.iter().cycle().take(16).map(move |text| (call, *text))).collect();
        let input: String = said.iter().enumerate().map(|(n, (call, text))| format!("{}\n", json!({ "id": n, "call": call, "text": text }))).collect();
        group.throughput(Throughput::Elements(said.iter().map(|(_, text)| text.chars().count() as u64).sum()));
        group.bench_function(name, |b| {
            b.iter(|| {
                let (mut output, mut complaints) = (Vec::new(), Vec::new());
                pii::run(PiiCommand::Detect, &mut black_box(input.as_bytes()), &mut output, &mut complaints).map(|good| (good, output))
            });
        });
    }
    group.finish();
}

fn sealing(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let call = CallId::parse("call-1").expect("an id");
    let cipher = runtime.block_on(cipher(folder.path(), &call));
    let place = Place::redis("rtvoice:dev:conversation:call-1:history", "t1", "entry");
    let mut group = criterion.benchmark_group("sealing");
    for bytes in [128, 1024, 16 * 1024] {
        let plain = vec![b'a'; bytes];
        let sealed = cipher.seal(&place, &plain).expect("sealed");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("seal/{bytes}"), |b| b.iter(|| cipher.seal(&place, black_box(&plain))));
        group.bench_function(format!("open/{bytes}"), |b| b.iter(|| cipher.open(&place, black_box(&sealed))));
    }
    group.finish();
}

/// A cipher of a call, from a vault on a file.
async fn cipher(folder: &std::path::Path, call: &CallId) -> Arc<CallCipher> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let file = Embedded::open(&folder.join("rtvoice.db")).expect("a file");
    let documents: Arc<dyn Documents> = Arc::new(EmbeddedDocuments::open(file, Arc::clone(&clock)).expect("documents"));
    let root = Arc::new(FileKeys::new(folder.join("keys.json"), Arc::clone(&clock)));
    let vault = Vault::new(documents, root, clock, Environment::Test);
    vault.new_call(call, None).await.expect("a key")
}
