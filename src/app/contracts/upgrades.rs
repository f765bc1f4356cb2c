//! Upgrades: a contract goes on as another one under another plan, or with other quantities; and what that would cost.

use aggregates::{
    calendar::midnight,
    credit::Credit,
    id::{PlanId, SubscriptionId, TenantId},
    money::{Currency, MoneyError},
    subscription::{self, Cycle, Subscription},
    usage::Meter,
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::catalog::PlanView;
use rust_decimal::Decimal;

use super::{
    followed::{successor, with_successor},
    upgrade_steps::{cycle_end, perform, prepare},
};
use crate::{
    app::{
        App,
        desk::{Desk, Rehearsal},
        invoicing,
        previews::{MOST_STEPS, Preview, laying_out::payer, open_bills::OpenBills, rehearse},
        usage::used_days::with_usage,
    },
    journal::{CommandError, Request, Streams},
};

/// What a contract is to become.
#[derive(Clone, Debug)]
pub struct Upgrade {
    pub target: Target,
    pub start: Start,
    /// Also in the middle of a cycle. At its end everything is.
    pub downgrade_allowed: bool,
    pub units: Vec<(String, Decimal)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A new contract for a plan at its present prices; the old one's cycle where none is named.
    Plan {
        plan: PlanId,
        currency: Option<Currency>,
        cycle: Option<Cycle>,
    },
    /// The same contract, at the prices it was signed for.
    Units,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Today,
    NextCycle,
    On(NaiveDate),
}

#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error("there is no plan {0}")]
    UnknownPlan(PlanId),
    #[error("there is no feature \"{0}\"")]
    UnknownFeature(String),
    #[error("this is a downgrade: it must be allowed, or wait for the next cycle")]
    Downgrade,
    #[error("the contract has no next cycle")]
    NoNextCycle,
    #[error("the contract has a discount in {expected}, which nothing can be taken off by in {got}", expected = expected.code(), got = got.code())]
    DiscountCurrency { expected: Currency, got: Currency },
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<subscription::Refused> for UpgradeError {
    fn from(refused: subscription::Refused) -> Self {
        Self::Command(refused.into())
    }
}

impl From<MoneyError> for UpgradeError {
    fn from(error: MoneyError) -> Self {
        subscription::Refused::Money(error).into()
    }
}

/// What an upgrade would do.
#[derive(Clone, Debug)]
pub struct Estimate {
    pub is_downgrade: bool,
    pub currency: Currency,
    /// First period of what comes.
    pub start: NaiveDate,
    pub end: Option<NaiveDate>,
    /// Of the contract that is upgraded, and of those before it that pay for what they had left to it.
    pub old: Preview,
    pub new: Preview,
}

impl App {
    /// Upgrades, and bills what has come to an end and what begins; answers with the contract that goes on.
    pub async fn upgrade_contract(
        &self,
        request: &Request,
        id: SubscriptionId,
        upgrade: &Upgrade,
    ) -> Result<SubscriptionId, UpgradeError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let tenant = &request.tenant;
        let plan = self.wanted_plan(tenant, upgrade).await?;
        let now = self.subscription_state(tenant, id).await?;
        self.check_currency(tenant, &now, plan.as_ref()).await?;
        if let Err(refused) = prepare(tenant, request.at, (id, &now, None), plan.as_ref(), upgrade) {
            // Refused perhaps because a twin of this request took effect since the first look.
            let done = if request.keyed {
                self.journal.reply(request).await?
            } else {
                None
            };
            return done.ok_or(refused);
        }
        let before = self.rests_before(tenant, &now).await?;
        let streams = with_usage(with_successor(tenant, id), id).with::<Meter>(successor(tenant, id));
        let streams = before.iter().fold(streams, Streams::with::<Subscription>);
        let upgraded = self.journal.execute(request, streams, |unit| {
            let (state, meter) = (unit.state(&id.to_string()), unit.state(&id.to_string()));
            let prepared = prepare(
                unit.tenant(),
                unit.at(),
                (id, state, Some(meter)),
                plan.as_ref(),
                upgrade,
            );
            let prepared = prepared.map_err(|error| match error {
                UpgradeError::Command(error) => error,
                // It was fine a moment ago: somebody else has changed the contract since.
                UpgradeError::UnknownPlan(_)
                | UpgradeError::UnknownFeature(_)
                | UpgradeError::Downgrade
                | UpgradeError::DiscountCurrency { .. }
                | UpgradeError::NoNextCycle => CommandError::Conflict,
            })?;
            perform(unit, id, &prepared)?;
            Ok(prepared.contract)
        });
        let contract = upgraded.await?;
        // What the old one gives back pays for the others, so it comes first.
        for one in [id].into_iter().chain(before).chain([contract]) {
            if let Err(error) = self.bill_subscription(request, one, request.at).await {
                tracing::warn!(subscription = %one, %error, "an upgrade is billed later");
            }
        }
        Ok(contract)
    }

    /// What [`App::upgrade_contract`] would come to at `at`: the same decisions, on copies.
    pub async fn estimate_upgrade(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        upgrade: &Upgrade,
        at: DateTime<Utc>,
    ) -> Result<Estimate, UpgradeError> {
        let plan = self.wanted_plan(tenant, upgrade).await?;
        let mut desk = Rehearsal::new(tenant.clone(), at);
        let old = self.lay(&mut desk, id).await?;
        let old = old.ok_or(subscription::Refused::Unknown)?;
        let stream = id.to_string();
        // What has gone on as another contract once does not do so again.
        self.lay(&mut desk, successor(tenant, id)).await?;
        for before in self.rests_before(tenant, desk.state(&stream)).await? {
            self.lay(&mut desk, before).await?;
        }
        let state = desk.state::<Subscription>(&stream);
        self.check_currency(tenant, state, plan.as_ref()).await?;
        let meter = desk.holds::<Meter>(&stream).then(|| desk.state(&stream));
        let prepared = prepare(tenant, at, (id, state, meter), plan.as_ref(), upgrade)?;
        let pay_after_all = perform(&mut desk, id, &prepared)?;
        let contract = prepared.contract;
        let state = desk.state::<Subscription>(&contract.to_string());
        let new = payer(state).ok_or(subscription::Refused::Unknown)?;
        let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
        let end = cycle_end(agreement, prepared.effective);
        let until = midnight(prepared.effective, agreement.zone()).map_or(at, |start| start.max(at));
        let account = invoicing::credit(tenant, new);
        if !desk.holds::<Credit>(&account) {
            desk.lay(&account, self.journal.state::<Credit>(tenant, &account).await?);
        }
        let mut estimate = Estimate {
            is_downgrade: prepared.is_downgrade,
            currency: new.currency,
            start: prepared.effective,
            end,
            old: Preview::default(),
            new: Preview::default(),
        };
        let (mut bills, mut steps) = (OpenBills::of(tenant, old), MOST_STEPS);
        // In the order in which an upgrade bills them.
        let goes_on = Some(contract).filter(|contract| *contract != id);
        for one in [id].into_iter().chain(pay_after_all).chain(goes_on) {
            let payer = payer(desk.state(&one.to_string())).ok_or(subscription::Refused::Unknown)?;
            if payer != bills.payer {
                bills = OpenBills::of(tenant, payer);
            }
            let shown = if one == contract {
                &mut estimate.new
            } else {
                &mut estimate.old
            };
            let asked = (&[one][..], Some(one));
            rehearse(self, &mut desk, asked, &mut bills, until, shown, &mut steps).await?;
        }
        Ok(estimate)
    }

    async fn wanted_plan(&self, tenant: &TenantId, upgrade: &Upgrade) -> Result<Option<PlanView>, UpgradeError> {
        match upgrade.target {
            Target::Units => Ok(None),
            Target::Plan { plan, .. } => {
                let found = self.plan(tenant, plan).await?;
                found.map(Some).ok_or(UpgradeError::UnknownPlan(plan))
            }
        }
    }

    /// Who has a currency gets no plan in another one.
    async fn check_currency(
        &self,
        tenant: &TenantId,
        state: &Subscription,
        plan: Option<&PlanView>,
    ) -> Result<(), UpgradeError> {
        let (Some(agreement), Some(plan)) = (state.agreement(), plan) else {
            return Ok(());
        };
        if let Some(customer) = self.customer(tenant, agreement.customer).await? {
            let checked = customer.profile.is_billed_in(plan.currency);
            checked.map_err(CommandError::from)?;
        }
        Ok(())
    }
}
