//! Goes through the flows of a policy with the library itself, over a simulated device, and notes every screen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil;
use jiff::tz::Offset;
use menshen::journal::simulated::{SimulatedClock, SimulatedDisk};
use menshen::policy::Month;
use menshen::policy::document::Place;
use menshen::{
    Answer, DeviceClock as _, Flow, MemoryKeys, Menshen, Offer, Outcome, Permission, PermissionState, Policy, Prompt,
    Session, Step, Store, Trigger,
};

use crate::failure::{Failure, Result};
use crate::phone::Phone;

/// Everything that one person is shown in one locale.
pub(crate) struct Walk {
    pub(crate) first_launch: Path,
    /// By the ids of the features.
    pub(crate) features: BTreeMap<String, Path>,
    /// What somebody is shown who agreed to an earlier version.
    pub(crate) changed: Option<Path>,
}

/// One flow: its screens, and what it takes to get through.
#[derive(PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) screens: Vec<Screen>,
    /// Taps to say yes to everything, the system's own dialogs left out.
    pub(crate) taps_to_accept: usize,
    /// Taps to say no.
    pub(crate) taps_to_refuse: usize,
    /// What is told where it stays closed after a no, or whatever is answered.
    pub(crate) told: Option<String>,
    pub(crate) opens: bool,
}

/// What stands on the screen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Screen {
    Prompt(Box<Prompt>),
    Switches(Vec<Offer>),
    AgeAndPlace,
    Confirmation,
    /// The system's own dialog, with the text that goes beside it.
    System {
        permission: Permission,
        text: String,
    },
}

/// Who walks, and where they live.
#[derive(Clone, Copy)]
pub(crate) struct Walker<'a> {
    pub(crate) born: Month,
    pub(crate) place: &'a Place,
    pub(crate) locale: &'a str,
}

impl Walk {
    /// Walks through `policy`; with `before`, also as somebody who agreed to that version.
    ///
    /// # Errors
    /// The library could not do it.
    pub(crate) fn through(bytes: &[u8], before: Option<&[u8]>, walker: Walker<'_>) -> Result<Self> {
        let device = Device::new(bytes)?;
        let first_launch = device.path(walker, |session| session.first_launch())?;
        let document = device.menshen.policy().document();
        let mut features = BTreeMap::new();
        for feature in document.features.keys() {
            let of = |session: &Session| {
                device.finish(session.first_launch(), walker, Saying::OnlyTheNotice)?;
                session.request(feature.as_str(), Trigger::Tap)
            };
            features.insert(feature.to_string(), device.path(walker, of)?);
        }
        let changed = before.map(|before| Device::new(before)?.changed(bytes, walker)).transpose()?;
        Ok(Self { first_launch, features, changed })
    }
}

/// What the person at the screens says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saying {
    Yes,
    No,
    /// Yes to the notice, which everything waits for, and no to the rest.
    OnlyTheNotice,
}

/// A device on which nothing was asked yet, standing still on the day from which the policy holds.
struct Device {
    menshen: Menshen,
    phone: Phone,
    clock: SimulatedClock,
    accounts: Cell<u32>,
}

impl Device {
    fn new(policy: &[u8]) -> Result<Self> {
        let policy = Policy::read(policy).map_err(|errors| Failure::new(format!("not a right policy: {errors}")))?;
        let (phone, clock) = (Phone::default(), SimulatedClock::at(first_day(&policy)));
        let store = Store::on(Arc::new(SimulatedDisk::new())).with_clock(Arc::new(clock.clone()));
        let keys = Arc::new(MemoryKeys::new());
        let menshen = Menshen::open_on(policy, store, keys, phone.platform()).map_err(unexpected)?;
        Ok(Self { menshen, phone, clock, accounts: Cell::new(0) })
    }

    /// Somebody who was never asked anything.
    fn somebody(&self, walker: Walker<'_>) -> Answered<Session> {
        self.accounts.set(self.accounts.get() + 1);
        self.phone.forget();
        let session = self.menshen.session(&self.accounts.get().to_string())?;
        session.set_locale(walker.locale);
        Ok(session)
    }

    /// A flow by somebody who says yes to everything, and by somebody who says no.
    fn path(&self, walker: Walker<'_>, flow: impl Fn(&Session) -> Answered<Flow>) -> Result<Path> {
        let run = |saying| {
            let session = self.somebody(walker)?;
            self.run(flow(&session)?, walker, saying)
        };
        let (screens, outcome) = run(Saying::Yes).map_err(unexpected)?;
        let (refused, after) = run(Saying::No).map_err(unexpected)?;
        let told = |outcome: &Outcome| match outcome {
            Outcome::Denied(denial) => Some(denial.text.clone()),
            _ => None,
        };
        let taps = |screens: &[Screen]| screens.iter().filter(|one| !matches!(one, Screen::System { .. })).count();
        Ok(Path {
            taps_to_accept: taps(&screens),
            taps_to_refuse: taps(&refused),
            told: told(&outcome).or_else(|| told(&after)),
            opens: !matches!(outcome, Outcome::Denied(_)),
            screens,
        })
    }

    /// The prompt about a changed policy, and what it asks anew.
    fn changed(&self, next: &[u8], walker: Walker<'_>) -> Result<Path> {
        let later = Policy::read(next).map_or(0, |next| first_day(&next)).saturating_sub(self.clock.now().wall_ms);
        self.clock.advance(u64::try_from(later).unwrap_or(0));
        self.path(walker, |session| {
            self.finish(session.first_launch(), walker, Saying::Yes)?;
            session.offer_policy(Policy::read(next)?)?;
            session.changed_policy()
        })
    }

    fn finish(&self, flow: Answered<Flow>, walker: Walker<'_>, saying: Saying) -> Answered<()> {
        self.run(flow?, walker, saying).map(|_| ())
    }

    fn run(&self, flow: Flow, walker: Walker<'_>, saying: Saying) -> Answered<(Vec<Screen>, Outcome)> {
        let mut screens = Vec::new();
        let outcome = flow.drive(&mut |step: &Step| {
            screens.extend(Screen::of(step));
            self.answer(step, walker, saying)
        })?;
        Ok((screens, outcome))
    }

    fn answer(&self, step: &Step, walker: Walker<'_>, saying: Saying) -> Answer {
        match step {
            Step::Show(prompt) => match saying {
                Saying::Yes => Answer::Yes,
                Saying::OnlyTheNotice if prompt.purpose.is_none() => Answer::Yes,
                _ => Answer::No,
            },
            Step::Offer(offers) if saying == Saying::Yes => {
                Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).collect())
            }
            Step::Offer(_) => Answer::Switches(Vec::new()),
            Step::AskSubject => Answer::Subject { born: walker.born.to_string(), place: walker.place.to_string() },
            Step::AskSystem { permission, .. } => {
                let state = if saying == Saying::Yes { PermissionState::Granted } else { PermissionState::Denied };
                self.phone.set(*permission, state);
                Answer::System(state)
            }
            // What was answered is right.
            _ => Answer::Yes,
        }
    }
}

impl Screen {
    fn of(step: &Step) -> Option<Self> {
        Some(match step {
            Step::Show(prompt) => Self::Prompt(Box::new(prompt.clone())),
            Step::Offer(offers) => Self::Switches(offers.clone()),
            Step::AskSubject => Self::AgeAndPlace,
            Step::ConfirmSubject { .. } => Self::Confirmation,
            Step::AskSystem { permission, text } => Self::System { permission: *permission, text: text.clone() },
            _ => return None,
        })
    }
}

/// What the library's own calls answer.
type Answered<T> = std::result::Result<T, menshen::Error>;

/// Noon of the day from which a policy holds, in milliseconds since 1970.
fn first_day(policy: &Policy) -> i64 {
    let day = policy.document().effective_from.as_str().parse::<civil::Date>();
    let noon = day.ok().and_then(|day| Offset::UTC.to_timestamp(day.at(12, 0, 0, 0)).ok());
    noon.map_or(0, |noon| noon.as_millisecond())
}

fn unexpected(error: menshen::Error) -> Failure {
    Failure::new(format!("the library could not go through the policy: {error}"))
}
