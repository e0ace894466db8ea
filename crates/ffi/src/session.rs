//! A session, its flows and uses, as objects that cross the bridge.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use menshen::{DeliveryResult, FeatureUse, Flow, Identifier, Outcome, Permit, Policy, Session, Trigger};

use crate::answers::{
    BridgeAnswer, BridgeDelivery, BridgeDeliveryResult, BridgeDenial, BridgeField, BridgeIdentifier, BridgeMaintained,
    BridgePurpose, BridgeReply, BridgeSnapshot, BridgeStep, BridgeStored, BridgeUpload, BridgeUploadOutcome,
    BridgeVerdict, BridgeWithdrawal, signed,
};
use crate::error::BridgeError;
use crate::foreign::{BridgeListener, Listener};
use crate::rights::{BridgeExercised, BridgeOfferedRight, BridgeRightRecord, BridgeRightRequest};

/// One account of one app on one device.
#[derive(uniffi::Object)]
pub struct BridgeSession {
    session: Session,
}

impl BridgeSession {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    fn flow(&self, flow: Flow) -> Arc<BridgeFlow> {
        Arc::new(BridgeFlow { session: self.session.clone(), state: Mutex::new(FlowState::Waiting(Box::new(flow))) })
    }
}

#[uniffi::export]
impl BridgeSession {
    /// Whether this is the same session as another object.
    pub fn is_same(&self, other: Arc<BridgeSession>) -> bool {
        self.session.is_same(&other.session)
    }

    /// Requests a feature.
    pub fn request(&self, feature: String, tapped: bool) -> Result<Arc<BridgeFlow>, BridgeError> {
        let trigger = if tapped { Trigger::Tap } else { Trigger::App };
        Ok(self.flow(self.session.request(&feature, trigger)?))
    }

    /// The notice and the switches after it.
    pub fn first_launch(&self) -> Result<Arc<BridgeFlow>, BridgeError> {
        Ok(self.flow(self.session.first_launch()?))
    }

    /// Asks for one purpose from a settings screen.
    pub fn request_purpose(&self, purpose: String) -> Result<Arc<BridgeFlow>, BridgeError> {
        Ok(self.flow(self.session.request_purpose(&purpose)?))
    }

    /// Shows a changed policy.
    pub fn changed_policy(&self) -> Result<Arc<BridgeFlow>, BridgeError> {
        Ok(self.flow(self.session.changed_policy()?))
    }

    /// Asks whose act the loss of a system permission was.
    pub fn confirm_revocations(&self) -> Result<Arc<BridgeFlow>, BridgeError> {
        Ok(self.flow(self.session.confirm_revocations()?))
    }

    /// Whether there is a loss to ask about.
    pub fn has_revocations(&self) -> bool {
        self.session.has_revocations()
    }

    /// The system told that the person took a permission away.
    pub fn revoked_by_person(&self, permission: String) -> Result<BridgeWithdrawal, BridgeError> {
        let Some(known) = menshen::Permission::from_id(&permission) else {
            return Err(menshen::Error::Undeclared { what: "permission", name: permission }.into());
        };
        Ok(self.session.revoked_by_person(known)?.into())
    }

    /// Uses a right.
    pub fn exercise(&self, request: BridgeRightRequest) -> Result<Arc<BridgeFlow>, BridgeError> {
        Ok(self.flow(self.session.exercise(request.try_into()?)?))
    }

    /// Objects to a purpose.
    pub fn object_to(&self, purpose: String) -> Result<BridgeExercised, BridgeError> {
        Ok((&self.session.object_to(&purpose)?).into())
    }

    /// Has the use for a purpose stopped.
    pub fn restrict(&self, purpose: String) -> Result<BridgeExercised, BridgeError> {
        Ok((&self.session.restrict(&purpose)?).into())
    }

    /// The rights that the person used.
    pub fn right_records(&self) -> Result<Vec<BridgeRightRecord>, BridgeError> {
        Ok(self.session.right_records()?.into_iter().map(Into::into).collect())
    }

    /// The rights that the person has.
    pub fn rights(&self) -> Vec<BridgeOfferedRight> {
        self.session.rights().into_iter().map(Into::into).collect()
    }

    /// Everything that the device keeps, as JSON.
    pub fn copy_json(&self) -> Result<String, BridgeError> {
        Ok(self.session.copy_json()?)
    }

    /// The same as one page of HTML.
    pub fn copy_html(&self) -> Result<String, BridgeError> {
        Ok(self.session.copy_html()?)
    }

    /// Whether a changed policy waits.
    pub fn has_changed_policy(&self) -> bool {
        self.session.has_changed_policy()
    }

    /// Takes a newer version of the policy.
    pub fn offer_policy(&self, policy: Vec<u8>) -> Result<(), BridgeError> {
        let policy = Policy::read(&policy).map_err(menshen::Error::from)?;
        Ok(self.session.offer_policy(policy)?)
    }

    /// The version that governs now.
    pub fn policy_version(&self) -> String {
        self.session.policy_version()
    }

    /// The answers now.
    pub fn snapshot(&self) -> BridgeSnapshot {
        let snapshot = self.session.snapshot();
        BridgeSnapshot {
            generation: signed(snapshot.generation()),
            valid_until_ms: snapshot.valid_until_ms(),
            features: snapshot.open_features().map(str::to_owned).collect(),
            purposes: snapshot.open_purposes().map(str::to_owned).collect(),
        }
    }

    /// Whether a feature is open.
    pub fn is_allowed(&self, feature: String) -> bool {
        self.session.is_allowed(&feature)
    }

    /// Why a feature is not open.
    pub fn why_not(&self, feature: String) -> Result<Option<BridgeDenial>, BridgeError> {
        Ok(self.session.why_not(&feature)?.map(Into::into))
    }

    /// Why a third-party SDK may not run; nothing if it may.
    pub fn may_start(&self, recipient: String) -> Result<Option<BridgeDenial>, BridgeError> {
        Ok(self.session.why_not_start(&recipient)?.map(Into::into))
    }

    /// Notes that a third-party SDK is about to start, or was told to stop.
    pub fn note_sdk(&self, recipient: String, starts: bool) -> Result<(), BridgeError> {
        Ok(self.session.note_sdk(&recipient, starts)?)
    }

    /// Supplies age and place.
    pub fn supply_subject(&self, born: String, place: String) -> Result<(), BridgeError> {
        Ok(self.session.supply_subject(&born, &place)?)
    }

    /// The locale in which the person reads.
    pub fn set_locale(&self, locale: String) {
        self.session.set_locale(&locale);
    }

    /// Whether undeclared fields are errors.
    pub fn set_strict(&self, strict: bool) {
        self.session.set_strict(strict);
    }

    /// The listener that is told of every change.
    pub fn listen(&self, listener: Arc<dyn BridgeListener>) {
        self.session.listen(Arc::new(Listener(listener)));
    }

    /// Looks again at what the system may have changed.
    pub fn refresh(&self) -> Result<(), BridgeError> {
        Ok(self.session.refresh()?)
    }

    /// Records an event.
    pub fn record(&self, event: String, fields: Vec<BridgeField>) -> Result<BridgeStored, BridgeError> {
        let fields = fields.into_iter().map(|field| (field.name, field.value.into())).collect();
        Ok(self.session.record(&event, fields)?.into())
    }

    /// Records an event whose fields are one flat JSON object.
    pub fn record_json(&self, event: String, fields: Vec<u8>) -> Result<BridgeStored, BridgeError> {
        Ok(self.session.record_json(&event, &fields)?.into())
    }

    /// Fields dropped because the policy does not declare them.
    pub fn dropped_fields(&self) -> i64 {
        signed(self.session.counts().dropped_fields)
    }

    /// Records of a purpose that are in the store.
    pub fn waiting_records(&self, purpose: String) -> Result<i64, BridgeError> {
        Ok(signed(self.session.waiting_records(&purpose)?))
    }

    /// Seals an item for a recipient.
    pub fn outbox_put(
        &self,
        purpose: String,
        recipient: String,
        ttl_ms: i64,
        bytes: Vec<u8>,
    ) -> Result<BridgeStored, BridgeError> {
        let ttl = u64::try_from(ttl_ms).unwrap_or(0);
        Ok(self.session.outbox_put(&purpose, &recipient, ttl, &bytes)?.into())
    }

    /// The next item for the app to send.
    pub fn next_delivery(&self) -> Result<Option<BridgeDelivery>, BridgeError> {
        Ok(self.session.next_delivery()?.map(|delivery| BridgeDelivery {
            id: signed(delivery.id),
            purpose: delivery.purpose,
            recipient: delivery.recipient,
            bytes: delivery.bytes,
            expires_ms: delivery.expires_ms,
        }))
    }

    /// Takes the result of an item.
    pub fn delivery_finished(&self, id: i64, result: BridgeDeliveryResult) -> Result<(), BridgeError> {
        let result = match result {
            BridgeDeliveryResult::Delivered => DeliveryResult::Delivered,
            BridgeDeliveryResult::Refused => DeliveryResult::Refused,
            BridgeDeliveryResult::Later { after_ms } => {
                DeliveryResult::Later { after_ms: u64::try_from(after_ms).unwrap_or(0) }
            }
        };
        Ok(self.session.delivery_finished(number(id), result)?)
    }

    /// An identifier in its declared form.
    pub fn identifier(&self, recipient: String, identifier: String) -> Result<BridgeIdentifier, BridgeError> {
        let Some(known) = Identifier::from_id(&identifier) else {
            return Err(menshen::Error::Undeclared { what: "identifier", name: identifier }.into());
        };
        Ok(self.session.identifier(&recipient, known)?.into())
    }

    /// Withdraws a purpose.
    pub fn withdraw(&self, purpose: String) -> Result<BridgeWithdrawal, BridgeError> {
        Ok(self.session.withdraw(&purpose)?.into())
    }

    /// Does what may take time.
    pub fn maintain(&self) -> Result<BridgeMaintained, BridgeError> {
        Ok(self.session.maintain()?.into())
    }

    /// Begins the account anew after the loss of a key.
    pub fn replace_lost_key(&self) -> Result<bool, BridgeError> {
        Ok(self.session.replace_lost_key()?)
    }

    /// Every purpose with its state.
    pub fn purposes(&self) -> Result<Vec<BridgePurpose>, BridgeError> {
        let purposes = self.session.purposes()?.into_iter().map(|state| BridgePurpose {
            purpose: state.purpose,
            name: state.name,
            allowed: state.allowed,
            denial: state.denial.map(Into::into),
        });
        Ok(purposes.collect())
    }

    /// The next upload.
    pub fn next_upload(&self) -> Result<Option<BridgeUpload>, BridgeError> {
        Ok(self.session.next_upload()?.map(Into::into))
    }

    /// When the next upload may be due, in milliseconds since 1970, if an endpoint is resting.
    pub fn next_upload_at_ms(&self) -> Option<i64> {
        self.session.next_upload_at()
    }

    /// Takes the reply to an upload.
    pub fn upload_finished(&self, id: i64, reply: BridgeReply) -> Result<BridgeUploadOutcome, BridgeError> {
        self.session.upload_finished(number(id), &reply.into())?.try_into()
    }

    /// Uploads that the host must stop.
    pub fn cancelled_uploads(&self) -> Vec<i64> {
        self.session.cancelled_uploads().into_iter().map(signed).collect()
    }

    /// The receipts, as JSON.
    pub fn receipts(&self) -> Result<String, BridgeError> {
        Ok(self.session.receipts()?)
    }

    /// The ledger, as JSON.
    pub fn export_ledger(&self) -> Result<String, BridgeError> {
        Ok(self.session.export_ledger()?)
    }

    /// Verifies the ledger in the store.
    pub fn verify_own_ledger(&self) -> Result<BridgeVerdict, BridgeError> {
        Ok(self.session.verify_own_ledger()?.into())
    }
}

/// One run through the questions for a goal.
#[derive(uniffi::Object)]
pub struct BridgeFlow {
    session: Session,
    state: Mutex<FlowState>,
}

enum FlowState {
    Waiting(Box<Flow>),
    /// An answer to this step is being taken. Listeners run meanwhile and may look at the flow, so it is taken without the lock.
    Answering(BridgeStep),
    /// The last step; the permit of an allowed one was taken.
    Over(BridgeStep),
}

impl BridgeFlow {
    fn lock(&self) -> MutexGuard<'_, FlowState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the flow out, if its state is one that waits, and leaves another state in its place.
    fn take(&self, leave: impl FnOnce(BridgeStep) -> FlowState) -> Result<Option<Box<Flow>>, BridgeError> {
        let mut state = self.lock();
        let FlowState::Waiting(flow) = &*state else { return Ok(None) };
        let next = leave(flow.step().try_into()?);
        match std::mem::replace(&mut *state, next) {
            FlowState::Waiting(flow) => Ok(Some(flow)),
            FlowState::Answering(_) | FlowState::Over(_) => Ok(None),
        }
    }

    fn take_permit(&self) -> Result<Permit, BridgeError> {
        match self.take(FlowState::Over)?.map(|flow| flow.into_outcome()) {
            Some(Ok(Outcome::Allowed(permit))) => return Ok(permit),
            Some(Ok(_)) | None => {}
            Some(Err(flow)) => *self.lock() = FlowState::Waiting(flow),
        }
        Err(menshen::Error::PermitEnded.into())
    }
}

#[uniffi::export]
impl BridgeFlow {
    /// What is to be done next; while an answer is being taken, the step that it answers.
    pub fn step(&self) -> Result<BridgeStep, BridgeError> {
        match &*self.lock() {
            FlowState::Waiting(flow) => flow.step().try_into(),
            FlowState::Answering(step) | FlowState::Over(step) => Ok(step.clone()),
        }
    }

    /// Takes the answer to the current step.
    pub fn answer(&self, answer: BridgeAnswer) -> Result<BridgeStep, BridgeError> {
        let Some(mut flow) = self.take(FlowState::Answering)? else {
            return Err(menshen::Error::UnexpectedAnswer { step: "done" }.into());
        };
        let next = flow.answer(answer.into()).map_err(BridgeError::from).and_then(BridgeStep::try_from);
        *self.lock() = FlowState::Waiting(flow);
        next
    }

    /// Begins the use of the feature that the flow opened; once.
    pub fn begin(&self, limit_ms: Option<i64>) -> Result<Arc<BridgeUse>, BridgeError> {
        let permit = self.take_permit()?;
        let limit = limit_ms.map(|ms| u64::try_from(ms).unwrap_or(0));
        Ok(Arc::new(BridgeUse { using: self.session.begin(permit, limit)? }))
    }
}

/// A use of a feature that is going on.
#[derive(uniffi::Object)]
pub struct BridgeUse {
    using: FeatureUse,
}

#[uniffi::export]
impl BridgeUse {
    /// Counts one read of protected data, if it is allowed now.
    pub fn count_read(&self) -> Result<(), BridgeError> {
        Ok(self.using.read(|| ())?)
    }

    /// Ends the use.
    pub fn end(&self) {
        self.using.end();
    }
}

/// A negative number names nothing.
fn number(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod flow_tests;

#[cfg(all(test, target_os = "linux"))]
#[path = "memory_tests.rs"]
mod memory_tests;
