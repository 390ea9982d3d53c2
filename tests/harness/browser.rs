//! A real browser without a window: Chromium, driven over its DevTools protocol through a pipe, so that no port is needed.
//!
//! It is a process of its own with a profile of its own, ended by its id when it is dropped. Whatever the page complains about
//! (uncaught errors, refusals by the content security policy, failed requests) is kept. Fails by panic; without Chromium with
//! the way to install it.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Chromium speaks over the file descriptors 3 and 4 and ends with its pipe.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#;
/// As root there is no sandbox, and containers have little shared memory.
const OPTIONS: [&str; 13] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--mute-audio",
];

/// One browser with one page.
pub struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    complaints: Vec<String>,
    _profile: TempDir,
}

/// Where Chromium is.
fn executable() -> &'static str {
    const NAMES: [&str; 5] =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/local/bin/chromium", "/opt/homebrew/bin/chromium"];
    let found = NAMES.into_iter().find(|name| std::path::Path::new(name).exists());
    found.unwrap_or_else(|| panic!("Chromium is missing: `make test` installs it (.ci/install chromium); looked at {NAMES:?}"))
}

impl Browser {
    /// Starts it with an empty page.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("sh")
            .args(["-c", START, executable()])
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("its output")));
        let mut browser = Self { child, input, output, session: None, last: 0, complaints: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// One command, with its answer.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.tried(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// One command, with its answer or the reason why there is none.
    async fn tried(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let line = format!("{message}\0");
        self.input.as_mut().expect("it runs").write_all(line.as_bytes()).await.expect("it listens");
        let id = self.last;
        let answer = async {
            loop {
                let message = self.next().await;
                if message["id"] == id {
                    return message.get("error").map_or_else(|| Ok(message["result"].clone()), |error| Err(error.clone()));
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("{method} is not answered"))
    }

    async fn next(&mut self) -> Value {
        let mut line = Vec::new();
        let read = self.output.read_until(0, &mut line).await.expect("its output");
        assert!(read > 0, "the browser has ended: {:?}", self.child.try_wait());
        line.pop();
        let message: Value = serde_json::from_slice(&line).expect("JSON");
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(params["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => self.complaints.push(params["entry"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => self.complaints.push(params["args"].to_string()),
            _ => {}
        }
        message
    }

    /// What the page has complained about since the last time.
    pub async fn complaints(&mut self) -> Vec<String> {
        self.value("0").await;
        std::mem::take(&mut self.complaints)
    }

    /// Goes to an address and waits until it is loaded.
    pub async fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        self.until("the page is loaded", "document.readyState === 'complete' && location.href !== 'about:blank'").await;
    }

    /// What an expression yields in the page; a promise is awaited.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text of what a selector finds.
    pub async fn text(&mut self, selector: &str) -> String {
        self.value(&format!("document.querySelector({})?.textContent ?? ''", json!(selector))).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, what: &str, expression: &str) {
        let wait = async {
            while self.value(expression).await != true {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let page = self.value("document.body.innerText").await;
            panic!("waited in vain until {what}: {}\n{:?}", page.as_str().unwrap_or_default(), self.complaints);
        }
    }

    /// Clicks, with a mouse, in the middle of what a selector finds.
    pub async fn click(&mut self, selector: &str) {
        let root = self.call("DOM.getDocument", json!({})).await["root"]["nodeId"].clone();
        let node = self.call("DOM.querySelector", json!({ "nodeId": root, "selector": selector })).await["nodeId"].clone();
        assert_ne!(node, 0, "{selector} is not there");
        self.call("DOM.scrollIntoViewIfNeeded", json!({ "nodeId": node })).await;
        let quad = self.call("DOM.getContentQuads", json!({ "nodeId": node })).await["quads"][0].clone();
        let at = |n: usize| quad[n].as_f64().expect("a place");
        let (x, y) = (f64::midpoint(at(0), at(4)), f64::midpoint(at(1), at(5)));
        for kind in ["mousePressed", "mouseReleased"] {
            self.call("Input.dispatchMouseEvent", json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 })).await;
        }
    }

    /// Presses and releases a key, by its name.
    pub async fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// As a screen of this width and height would show it, in `light` or `dark`.
    pub async fn screen(&mut self, width: u32, height: u32, scheme: &str) {
        let phone = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Switches the scripts of pages on or off.
    pub async fn scripts(&mut self, on: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// The whole page as it stands now, from outside of it.
    pub async fn html(&mut self) -> String {
        loop {
            let root = self.call("DOM.getDocument", json!({})).await["root"]["nodeId"].clone();
            // Another page may have come between the two.
            if let Ok(answer) = self.tried("DOM.getOuterHTML", json!({ "nodeId": root })).await {
                return answer["outerHTML"].as_str().unwrap_or_default().to_owned();
            }
        }
    }

    /// Keeps a picture of the whole page under this name, beside what tests leave for people.
    pub async fn picture(&mut self, name: &str) {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        let image = STANDARD.decode(answer["data"].as_str().expect("an image")).expect("base64");
        assert!(image.starts_with(b"\x89PNG") && image.len() > 10_000, "an empty picture");
        std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), image).expect("written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its pipe; and should it not, it is ended.
        self.input.take();
        let _ = self.child.start_kill();
    }
}
