//! What a preview knows of a payer's open invoices: those that are collected on its way are paid from credit first, as
//! the duties of that day pay them.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    credit::Credit,
    id::{InvoiceId, TenantId},
    invoice::{Invoice, Issued},
    payment::{Payment, payment_id},
    subscription,
};
use chrono::{DateTime, Utc};
use projections::subscription::Payer;

use crate::{
    app::{
        App,
        credits::pay_from_credit,
        desk::{Desk, Rehearsal},
        invoicing,
    },
    journal::CommandError,
};

/// How many open invoices of a payer a preview looks at.
const MOST_OPEN: usize = 50_000;

/// Whether it is made on the way, and as which one: older ones come first.
type Age = (bool, usize);

pub(in crate::app) struct OpenBills {
    pub payer: Payer,
    /// The stream of their credit.
    account: String,
    /// What nobody collects yet, oldest first.
    open: BTreeMap<Age, InvoiceId>,
    due: BTreeSet<(DateTime<Utc>, Age)>,
    /// How many were made on the way.
    made: usize,
    /// Of those, what credit has paid something of since.
    paid: BTreeSet<InvoiceId>,
    /// Collections that are due by then are done.
    done: DateTime<Utc>,
    /// Whether what was open before is among them: it is looked for once there is credit to pay it with.
    complete: bool,
}

impl OpenBills {
    pub fn of(tenant: &TenantId, payer: Payer) -> Self {
        Self {
            payer,
            account: invoicing::credit(tenant, payer),
            open: BTreeMap::new(),
            due: BTreeSet::new(),
            made: 0,
            paid: BTreeSet::new(),
            done: DateTime::<Utc>::MIN_UTC,
            complete: false,
        }
    }

    /// Takes in what was made on the way.
    pub fn take(&mut self, made: &[Issued]) {
        for issued in made.iter().filter(|issued| issued.to_pay().minor > 0) {
            let age = (true, self.made);
            self.made += 1;
            self.open.insert(age, issued.invoice);
            self.due.extend(issued.collected_at().map(|at| (at, age)));
        }
    }

    /// Asks for what is due by then, each at its moment, once credit is used.
    pub async fn collect(&mut self, app: &App, desk: &mut Rehearsal, until: DateTime<Utc>) -> Result<(), CommandError> {
        if !self.complete && self.credit(desk)? > 0 {
            self.complete(app, desk.tenant()).await?;
        }
        while let Some((at, _)) = self.due.first().copied().filter(|(at, _)| *at <= until) {
            let mut asked = Vec::new();
            while let Some((_, age)) = self.due.first().copied().filter(|(due, _)| *due == at) {
                self.due.pop_first();
                asked.push(age);
            }
            // What is paid or being collected is asked for no more, and uses no credit.
            if asked.iter().any(|age| self.open.contains_key(age)) {
                self.use_credit(app, desk).await?;
            }
            for age in asked {
                self.open.remove(&age);
            }
        }
        self.done = self.done.max(until);
        Ok(())
    }

    fn credit(&self, desk: &Rehearsal) -> Result<i64, CommandError> {
        let credit = desk.state::<Credit>(&self.account);
        Ok(credit.balance(self.payer.currency)?.minor)
    }

    /// What was open before the preview began. There was no credit until now: what was due is being collected.
    async fn complete(&mut self, app: &App, tenant: &TenantId) -> Result<(), CommandError> {
        let Payer { customer, currency } = self.payer;
        let views = app.journal.views();
        let open = projections::invoice::collections(views, tenant, customer, currency, MOST_OPEN + 1).await?;
        if open.len() > MOST_OPEN {
            return Err(subscription::Refused::TooMuch.into());
        }
        for (n, (invoice, due)) in open.into_iter().enumerate() {
            if due.is_some_and(|due| due <= self.done) {
                continue;
            }
            let age = (false, n);
            self.open.insert(age, invoice);
            self.due.extend(due.map(|due| (due, age)));
        }
        self.complete = true;
        Ok(())
    }

    async fn use_credit(&mut self, app: &App, desk: &mut Rehearsal) -> Result<(), CommandError> {
        let mut closed = Vec::new();
        for (age, invoice) in &self.open {
            if self.credit(desk)? <= 0 {
                break;
            }
            lay(app, desk, *invoice).await?;
            if pay_from_credit(desk, self.payer, &self.account, &[*invoice])? && age.0 {
                self.paid.insert(*invoice);
            }
            if desk.state::<Invoice>(&invoice.to_string()).open()?.minor <= 0 {
                closed.push(*age);
            }
        }
        for age in closed {
            self.open.remove(&age);
        }
        Ok(())
    }

    /// Says of invoices that were made on the way what credit has paid of them since.
    pub fn settle(&self, desk: &Rehearsal, made: &mut [Issued]) -> Result<(), CommandError> {
        for issued in made.iter_mut().filter(|issued| self.paid.contains(&issued.invoice)) {
            let left = desk.state::<Invoice>(&issued.invoice.to_string()).open()?;
            let paid = issued.to_pay().minor - left.minor;
            let before = issued.credit_applied.map_or(0, |applied| applied.minor);
            let applied = aggregates::money::Money::new(before + paid, issued.currency);
            issued.credit_applied = Some(applied);
            issued.to_pay = Some(left).filter(|left| *left != issued.total);
        }
        Ok(())
    }
}

async fn lay(app: &App, desk: &mut Rehearsal, invoice: InvoiceId) -> Result<(), CommandError> {
    let tenant = desk.tenant().clone();
    let (stream, payment) = (invoice.to_string(), payment_id(&tenant, invoice).to_string());
    if !desk.holds::<Invoice>(&stream) {
        desk.lay(&stream, app.journal.state::<Invoice>(&tenant, &stream).await?);
    }
    if !desk.holds::<Payment>(&payment) {
        desk.lay(&payment, app.journal.state::<Payment>(&tenant, &payment).await?);
    }
    Ok(())
}
