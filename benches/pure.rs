//! What pure code costs: envelopes, events, masking, sealing. `cargo bench`; paths that need servers are measured by
//! `rtvoice bench paths`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use rtvoice::config::Environment;
use rtvoice::host::envelope::Envelope;
use rtvoice::model::acs;
use rtvoice::model::ids::CallId;
use rtvoice::ports::clock::{Clock, SystemClock};
use rtvoice::ports::documents::Documents;
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::root_key::file::FileKeys;
use rtvoice::privacy::cipher::CallCipher;
use rtvoice::privacy::detect;
use rtvoice::privacy::envelope::Place;
use rtvoice::privacy::vault::Vault;
use serde_json::{Value, json};

/// What a caller says, without and with something personal in it.
const PLAIN: &str = "It should have come on Tuesday, or on Wednesday at the latest, and nobody has called me about it so far";
const PERSONAL: &str = "my phone number is four two five five five five oh one eight seven and you can write to quill.farthing@example.org";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    envelopes(&mut criterion);
    events(&mut criterion);
    masking(&mut criterion);
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
