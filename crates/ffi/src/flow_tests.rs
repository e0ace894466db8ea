//! A flow as listeners and hasty hosts meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use super::{BridgeFlow, BridgeSession};
use crate::answers::{BridgeAnswer, BridgeStep};
use crate::error::BridgeError;
use crate::foreign::{BridgeKeyError, BridgeListener};
use crate::open::{BridgeConfiguration, BridgeMenshen};

pub(super) struct Opened {
    _folder: tempfile::TempDir,
    _menshen: Arc<BridgeMenshen>,
    pub(super) session: Arc<BridgeSession>,
}

pub(super) fn open() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let configuration = BridgeConfiguration {
        policy: include_bytes!("../../../tests/policies/minimal.json").to_vec(),
        store: path("store"),
        file_keys: Some(path("keys")),
        markers: Vec::new(),
        cap_bytes: None,
    };
    let menshen = BridgeMenshen::open(configuration, None, None, None, None).unwrap();
    let session = menshen.guest().unwrap();
    Opened { _folder: folder, _menshen: menshen, session }
}

/// Looks at the flow, answers it and begins its use, all while it is told of a change.
struct Meddler {
    flow: Mutex<Weak<BridgeFlow>>,
    seen: Sender<(BridgeStep, Option<BridgeError>, bool)>,
}

impl BridgeListener for Meddler {
    fn changed(&self, _: i64) -> Result<(), BridgeKeyError> {
        if let Some(flow) = self.flow.lock().unwrap().upgrade() {
            let again = flow.answer(BridgeAnswer::No);
            let _ = self.seen.send((flow.step().unwrap(), again.err(), flow.begin(None).is_ok()));
        }
        Ok(())
    }
}

pub(super) fn say_yes(flow: &BridgeFlow) -> BridgeStep {
    let mut step = flow.step().unwrap();
    loop {
        let answer = match &step {
            BridgeStep::Show { .. } | BridgeStep::ConfirmSubject { .. } => BridgeAnswer::Yes,
            BridgeStep::AskSubject => BridgeAnswer::Subject { born: "1990-05".into(), place: "DE".into() },
            BridgeStep::Offer { offers } => {
                BridgeAnswer::Switches { on: offers.iter().map(|offer| offer.purpose.clone()).collect() }
            }
            _ => return step,
        };
        step = flow.answer(answer).unwrap();
    }
}

#[test]
fn a_listener_may_call_back_into_the_flow_whose_answer_it_is_told_of() {
    let (seen, told) = channel();
    let (done, finished) = channel();
    thread::spawn(move || {
        let opened = open();
        let meddler = Arc::new(Meddler { flow: Mutex::default(), seen });
        opened.session.listen(Arc::clone(&meddler) as Arc<dyn BridgeListener>);
        let flow = opened.session.first_launch().unwrap();
        *meddler.flow.lock().unwrap() = Arc::downgrade(&flow);
        let last = say_yes(&flow);
        done.send(last).unwrap();
    });
    let last = finished.recv_timeout(Duration::from_secs(30)).expect("the flow waits for a listener that waits for it");
    assert!(matches!(last, BridgeStep::Finished { .. }), "{last:?}");
    let told: Vec<_> = told.try_iter().collect();
    assert!(!told.is_empty(), "nobody was told of a change");
    for (step, again, began) in told {
        assert!(!matches!(step, BridgeStep::Finished { .. }), "a step is over when its answer returned");
        let BridgeError::Failed { code, .. } = again.expect("a second answer to the same step");
        assert_eq!(code, "unexpected-answer");
        assert!(!began, "a flow that is not over opens nothing");
    }
}

#[test]
fn an_answer_that_does_not_fit_leaves_the_flow_as_it_was() {
    let opened = open();
    let flow = opened.session.first_launch().unwrap();
    assert!(flow.answer(BridgeAnswer::Switches { on: Vec::new() }).is_err());
    assert!(flow.begin(None).is_err());
    assert!(matches!(flow.step().unwrap(), BridgeStep::Show { .. }));
    assert!(matches!(flow.answer(BridgeAnswer::Yes).unwrap(), BridgeStep::AskSubject));
}
