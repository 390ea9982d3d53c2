//! The dashboard in a real browser: it lives without being loaded again, works by keyboard, on a telephone, in the dark and without
//! scripts, and keeps no key.

use std::sync::Arc;

use rtvoice::dev::host::{LocalHost, Options};
use rtvoice::dev::log::LogSink;
use rtvoice::model::ids::CallId;
use rtvoice::ports::documents::Container;
use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::process::{Handler, eventually};

const KEY: &str = "function-key-0123456789abcdef";

fn url(handler: &Handler) -> String {
    format!("http://127.0.0.1:{}/api/dashboard?code={KEY}", handler.port().expect("it runs"))
}

async fn turn(handler: &Arc<Handler>, call: &str, text: &str) {
    let body = json!({ "turnId": "t1", "text": text, "speak": false });
    let answer = handler.send("POST", &format!("/api/calls/{call}/turns"), Some(&body)).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What the page calls a call.
async fn name(handler: &Handler, call: &str) -> String {
    handler.app().vault.call_token(&CallId::parse(call).expect("an id")).await.expect("a token").to_string()
}

/// Whether the page shows the call of this name.
fn shows(name: &str) -> String {
    format!("document.querySelector('[data-part=calls]').textContent.includes('{name}')")
}

async fn audited(handler: &Handler, action: &str) -> bool {
    let page = handler.app().documents.scan(Container::Audit, None, 500).await.expect("the log");
    page.documents.iter().any(|document| document.body.to_string().contains(&format!("\"{action}\"")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_appears_without_reloading_and_its_words_on_a_click() {
    let handler = Handler::start(Vec::new()).await;
    let mut browser = Browser::start().await;
    browser.screen(1440, 900, "light").await;
    browser.open(&url(&handler)).await;
    browser.value("window.first = true").await;
    assert!(browser.text("[data-part=calls]").await.contains("No call is open"));
    turn(&handler, "call-a", "my number is 4255550123").await;
    let (a, b) = (name(&handler, "call-a").await, name(&handler, "call-b").await);
    browser.until("the call is there", &shows(&a)).await;
    assert!(!browser.html().await.contains("call-a"), "its id is nobody's business");
    browser.until("it says that it lives", "document.getElementById('link').textContent === 'live'").await;
    assert!(!browser.html().await.contains("my number is"), "nobody has asked for it");
    assert!(!audited(&handler, "call.read").await);

    browser.click(&format!("#show-{a}")).await;
    browser.until("the words are there", "document.getElementById('said').textContent.includes('my number is [PHONE_NUMBER]')").await;
    assert!(audited(&handler, "call.read").await, "the log has it");
    assert_eq!(browser.value("document.activeElement.id").await, "said-heading", "its reader is led there");
    turn(&handler, "call-b", "hello").await;
    browser.until("the second call is there", &shows(&b)).await;
    assert!(browser.text("#said").await.contains("[PHONE_NUMBER]"), "it stays while the page lives");
    browser.click("#close-said").await;
    assert_eq!(browser.text("#said").await, "");
    assert_eq!(browser.value("document.activeElement.id").await, format!("show-{a}"));

    assert_eq!(browser.value("window.first").await, true, "it was never loaded again");
    assert_eq!(browser.value("[localStorage.length, sessionStorage.length, document.cookie].join()").await, "0,0,");
    assert!(!browser.html().await.contains(KEY), "the key is not in the page");
    assert!(!handler.output().contains(KEY), "nor in the log");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    browser.click("#pause").await;
    assert_eq!(browser.value("document.getElementById('link').textContent").await, "paused");
    browser.click("#pause").await;
    handler.kill();
    browser.until("the loss is told", "document.getElementById('link').textContent.startsWith('no answer') && document.body.classList.contains('stale')").await;
}

/// The texts whose contrast with what is behind them is below 4.5, the level of WCAG AA.
const FAINT: &str = r#"(() => {
  const channel = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = (rgb) => .2126 * channel(rgb[0]) + .7152 * channel(rgb[1]) + .0722 * channel(rgb[2]);
  const read = (css) => (css.match(/[\d.]+/g) || []).map(Number);
  const behind = (one) => { for (; one; one = one.parentElement) { const c = read(getComputedStyle(one).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const faint = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !one.checkVisibility() || ['SCRIPT', 'STYLE', 'TITLE', 'title', 'NOSCRIPT'].includes(one.tagName)) continue;
    const style = getComputedStyle(one), front = read(one instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(front), light(behind(one))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.add(one.tagName + '.' + (one.className.baseVal ?? one.className) + ': ' + walker.currentNode.data.trim().slice(0, 30));
  }
  return [...faint];
})()"#;

/// What a screen reader would have no name for.
async fn nameless(browser: &mut Browser) -> Vec<String> {
    let tree = browser.call("Accessibility.getFullAXTree", json!({})).await;
    let roles = ["button", "link", "image", "img", "table", "region", "radio", "heading", "figure"];
    let nodes = tree["nodes"].as_array().expect("nodes").iter().filter(|node| node["ignored"] == false);
    let named = nodes.filter(|node| roles.contains(&node["role"]["value"].as_str().unwrap_or_default()));
    let mut count = 0;
    let nameless: Vec<String> =
        named.inspect(|_| count += 1).filter(|node| node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()).map(ToString::to_string).collect();
    assert!(count > 20, "the tree is empty");
    nameless
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_legible_on_every_screen_and_by_ear() {
    let handler = Handler::start(Vec::new()).await;
    for n in 0..12 {
        turn(&handler, &format!("call-with-quite-a-long-identifier-as-the-service-gives-them-{n}"), "hello").await;
    }
    let mut browser = Browser::start().await;
    browser.screen(1440, 900, "light").await;
    browser.open(&url(&handler)).await;
    let mut grounds = Vec::new();
    for (width, scheme) in [(1440, "light"), (1440, "dark"), (820, "light"), (360, "light"), (360, "dark")] {
        browser.screen(width, 900, scheme).await;
        let overflow = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(overflow, 0, "the page is wider than {width}");
        assert_eq!(browser.value(FAINT).await, json!([]), "{width} {scheme}");
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor").await);
        browser.picture(&format!("dashboard-{width}-{scheme}.png")).await;
    }
    assert_ne!(grounds[0], grounds[1], "the dark is dark");
    assert_eq!(nameless(&mut browser).await, Vec::<String>::new());
    let landmarks = browser.value("['header', 'main', 'footer'].map((tag) => document.querySelectorAll(tag).length).join()").await;
    assert_eq!((landmarks, browser.value("document.querySelectorAll('h1').length").await), (json!("1,1,1"), json!(1)));
    assert_eq!(browser.value("document.querySelectorAll('table:not(:has(> caption))').length").await, 0, "tables without a caption");

    // By keyboard alone: past the header, and the other window of time.
    browser.screen(1440, 900, "light").await;
    browser.press("Tab", 9).await;
    assert_eq!(browser.value("document.activeElement.className").await, "skip");
    browser.press("Enter", 13).await;
    assert_eq!(browser.value("document.activeElement.id").await, "main");
    browser.value("document.getElementById('w-t').focus()").await;
    browser.press("ArrowRight", 39).await;
    let shown = "['ten-minutes', 'six-hours'].map((id) => document.querySelector(`[data-part=${id}]`).checkVisibility()).join()";
    assert_eq!(browser.value(shown).await, "false,true");
    browser.value("document.querySelector('#rules summary').click()").await;
    browser.click("#rules tbody tr a").await;
    browser.until("the runbook shows", "document.querySelector('.runbook:target')?.checkVisibility() === true").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_it_shows_the_figures_and_the_words_that_are_asked_for() {
    let handler = Handler::start(Vec::new()).await;
    turn(&handler, "call-a", "my number is 4255550123").await;
    let a = name(&handler, "call-a").await;
    let mut browser = Browser::start().await;
    browser.scripts(false).await;
    browser.call("Page.navigate", json!({ "url": url(&handler) })).await;
    let html = eventually("it is there", String::new, async || Some(browser.html().await).filter(|html| html.contains(&format!("show-{a}")))).await;
    for part in [a.as_str(), "redis connectivity", "Open calls", "reload it for newer figures", "<svg"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    browser.click(&format!("#show-{a}")).await;
    let shown = eventually("the words are there", String::new, async || Some(browser.html().await).filter(|html| html.contains("[PHONE_NUMBER]"))).await;
    assert!(shown.contains(&a) && !shown.contains("call-a") && !shown.contains("4255550123") && !shown.contains(KEY), "{shown}");
    assert!(audited(&handler, "call.read").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_host_shows_it_at_its_root_and_its_key_opens_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(env!("CARGO_MANIFEST_DIR").into());
    options.port = 0;
    options.auth = true;
    options.executable = Some(env!("CARGO_BIN_EXE_rtvoice").into());
    options.environment = vec![("EMBEDDED_PATH".to_owned(), folder.path().join("rtvoice.db").display().to_string())];
    options.log = LogSink::new(|_, _| {});
    let host = LocalHost::start(options).await.expect("it starts");
    let key = host.keys().expect("keys").function.expose().to_owned();
    let client = rtvoice::ports::http::loopback_client().expect("a client");
    assert_eq!(client.get(host.url()).send().await.expect("an answer").status(), 401);
    let address = format!("{}/?code={key}", host.url());
    assert!(host.table().contains(&format!("dashboard: {address}")), "{}", host.table());

    let mut browser = Browser::start().await;
    browser.open(&address).await;
    let turn = json!({ "turnId": "t1", "text": "my number is 4255550123", "speak": false }).to_string();
    let sent = client.post(format!("{}/api/calls/call-a/turns", host.url())).header("x-functions-key", &key).body(turn).send().await.expect("an answer");
    assert_eq!(sent.status(), 200);
    browser.until("the call is there", "document.querySelector('[data-part=calls] [id^=show-c1-]') !== null").await;
    browser.click("[id^=show-c1-]").await;
    browser.until("the words are there", "document.getElementById('said').textContent.includes('[PHONE_NUMBER]')").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    host.stop().await;
}
