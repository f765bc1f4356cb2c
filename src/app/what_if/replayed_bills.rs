//! What is open of invoices in a history that is lived through once more, and what pays it: credit, what is collected and
//! what customers pay, decided again as it was, on the invoices there are there.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    credit::{self, Credit, Source},
    id::{CustomerId, InvoiceId},
    invoice::{self, Invoice, Issued},
    money::Money,
    payment::{self, Payment, Wanted, payment_id},
};
use chrono::{DateTime, Utc};
use projections::subscription::Payer;

use super::{
    replayed::Past,
    replayed_standing::{Awaited, Standing},
};
use crate::{
    app::{
        credits::pay_from_credit,
        desk::{Desk, Rehearsal},
        invoicing,
    },
    journal::CommandError,
};

/// By payer, and as the how manieth it was made.
type Age = usize;

/// All invoices of a history, by who pays them.
#[derive(Default)]
pub(super) struct ReplayedBills {
    /// By the stream of their credit.
    by_payer: BTreeMap<String, Bills>,
    /// What there is here, and whose it is.
    made: BTreeMap<InvoiceId, (String, Age)>,
    standing: Standing,
    awaited: Awaited,
}

struct Bills {
    payer: Payer,
    made: Age,
    /// What nobody collects, oldest first.
    open: BTreeMap<Age, InvoiceId>,
    due: BTreeSet<(DateTime<Utc>, Age)>,
}

impl ReplayedBills {
    /// All that is going to happen.
    pub fn foresee(&mut self, past: &[Past]) {
        self.awaited = Awaited::of(past);
    }

    /// An invoice was really issued.
    pub fn issued(&mut self, issued: &Issued) {
        self.standing.issued(issued);
    }

    /// This has happened while the terms were what they were: what it means is on the desk.
    pub fn happened(&mut self, event: &AnyEvent) {
        self.awaited.passes(event);
        if let AnyEvent::Invoice(invoice::Event::Voided { invoice, .. }) = event {
            self.standing.voided(*invoice, &[*invoice]);
        }
    }

    /// An invoice came out here: it lies on the desk.
    pub fn took(&mut self, desk: &mut Rehearsal, issued: &Issued) {
        let (payer, invoice) = (payer(issued), issued.invoice);
        let payment = payment_id(desk.tenant(), invoice).to_string();
        if !desk.holds::<Payment>(&payment) {
            desk.lay(&payment, Payment::default());
        }
        let account = invoicing::credit(desk.tenant(), payer);
        let waits = self.awaited.waits(issued);
        let bills = self.bills(account.clone(), payer);
        let age = bills.made;
        bills.made += 1;
        if issued.to_pay().minor > 0 {
            bills.open.insert(age, invoice);
            let due = issued.collected_at().filter(|_| !waits);
            bills.due.extend(due.map(|at| (at, age)));
        }
        self.made.insert(invoice, (account, age));
        self.standing.made(issued);
    }

    /// One that is not billed here grants and uses what it did, as far as there is credit.
    pub fn really_issued(&mut self, desk: &mut Rehearsal, issued: &Issued) -> Result<(), CommandError> {
        let (at, customer, invoice) = (desk.at(), issued.customer, issued.invoice);
        let account = invoicing::credit(desk.tenant(), payer(issued));
        if let Some(amount) = issued.credit_granted {
            let source = Source::Invoice { invoice };
            let grant = credit::Command::Grant {
                at,
                customer,
                amount,
                source,
            };
            desk.send::<Credit>(&account, &grant)?;
        }
        let there = desk.state::<Credit>(&account).balance(issued.currency)?;
        let used = issued
            .credit_applied
            .map_or(0, |applied| applied.minor.min(there.minor));
        if used > 0 {
            let use_up = credit::Command::Use {
                at,
                customer,
                amount: Money::new(used, issued.currency),
                invoice,
            };
            desk.send::<Credit>(&account, &use_up)?;
        }
        self.took(desk, issued);
        Ok(())
    }

    fn bills(&mut self, account: String, payer: Payer) -> &mut Bills {
        self.by_payer.entry(account).or_insert_with(|| Bills {
            payer,
            made: 0,
            open: BTreeMap::new(),
            due: BTreeSet::new(),
        })
    }

    /// What is asked for of the collections that are due, is.
    pub fn begin(&mut self, desk: &Rehearsal) -> Result<(), CommandError> {
        for bills in self.by_payer.values_mut() {
            let mut asked = BTreeSet::new();
            for (age, invoice) in &bills.open {
                let payment = payment_id(desk.tenant(), *invoice).to_string();
                if *desk.state::<Payment>(&payment) != Payment::Absent {
                    asked.insert(*age);
                }
            }
            bills.due.retain(|(_, age)| !asked.contains(age));
            bills.forget_closed(desk)?;
        }
        Ok(())
    }

    /// Something has happened to a real invoice: what waits here for its collection is collected where it was, or where
    /// there was nothing left to collect of it.
    pub fn awaited(&mut self, desk: &mut Rehearsal, event: &AnyEvent) -> Result<(), CommandError> {
        let Some((invoice, due)) = self.awaited.passes(event) else {
            return Ok(());
        };
        let Some((account, age)) = self.made.get(&invoice) else {
            return Ok(());
        };
        let issued = desk.state::<Invoice>(&invoice.to_string()).issued();
        let waits = issued.and_then(Issued::collected_at) == Some(due);
        let bills = self.by_payer.get_mut(account).filter(|_| waits);
        if let Some(bills) = bills.filter(|bills| bills.open.contains_key(age)) {
            bills.use_credit(desk, account)?;
            if bills.open.remove(age).is_some() {
                request(desk, bills.payer.customer, invoice)?;
            }
        }
        Ok(())
    }

    /// Asks for what is due by then and waits for nobody, each at its moment, once credit is used. `before` leaves out what
    /// is due at the very moment.
    pub fn collect(
        &mut self,
        desk: &mut Rehearsal,
        account: Option<&str>,
        until: DateTime<Utc>,
        before: bool,
    ) -> Result<(), CommandError> {
        let wanted = |own: &String| account.is_none_or(|account| account == own);
        let is_due = |(at, _): &(DateTime<Utc>, Age)| *at < until || (*at == until && !before);
        for (account, bills) in self.by_payer.iter_mut().filter(|(own, _)| wanted(own)) {
            while let Some((at, _)) = bills.due.first().copied().filter(is_due) {
                let mut asked = Vec::new();
                while let Some((_, age)) = bills.due.first().copied().filter(|(due, _)| *due == at) {
                    bills.due.pop_first();
                    asked.push(age);
                }
                if asked.iter().any(|age| bills.open.contains_key(age)) {
                    bills.use_credit(desk, account)?;
                }
                for invoice in asked.into_iter().filter_map(|age| bills.open.remove(&age)) {
                    request(desk, bills.payer.customer, invoice)?;
                }
            }
        }
        Ok(())
    }

    /// Somebody gave credit: it pays what is open, oldest first.
    pub fn give(
        &mut self,
        desk: &mut Rehearsal,
        account: &str,
        customer: CustomerId,
        amount: Money,
        source: &Source,
    ) -> Result<(), CommandError> {
        let grant = credit::Command::Grant {
            at: desk.at(),
            customer,
            amount,
            source: source.clone(),
        };
        desk.send::<Credit>(account, &grant)?;
        let currency = amount.currency;
        self.bills(account.to_owned(), Payer { customer, currency })
            .use_credit(desk, account)
    }

    /// Somebody said once more how a payment went: credit that came since pays what is open. Whoever collects is awaited.
    pub fn used_again(&mut self, desk: &mut Rehearsal, account: &str) -> Result<(), CommandError> {
        let collects = self.awaited.is_late(desk.at());
        match self.by_payer.get_mut(account).filter(|_| !collects) {
            Some(bills) => bills.use_credit(desk, account),
            None => Ok(()),
        }
    }

    /// What there is here in the place of a real invoice, oldest first: what has a charge in common with it; where nothing
    /// has, what charges the same line from the same day on. Under other terms an invoice of the same id may be about
    /// something else: it stands for the real one only where nothing else does.
    pub fn standing_for(&self, desk: &Rehearsal, invoice: InvoiceId) -> Vec<InvoiceId> {
        let stands = |id: &InvoiceId| {
            let state = desk.state::<Invoice>(&id.to_string());
            state.issued().is_some() && !state.is_voided()
        };
        let mut found = self.standing.with_charge(invoice);
        let with_line = self.standing.with_line(invoice);
        found.extend(with_line.contains(&invoice).then_some(invoice));
        found.retain(stands);
        if found.is_empty() {
            found = with_line;
            found.retain(stands);
        }
        if found.is_empty() {
            found.extend(self.made.contains_key(&invoice).then_some(invoice));
            found.retain(stands);
        }
        let aged = |id: InvoiceId| self.made.get(&id).map(|(_, age)| (id != invoice, *age, id));
        let mut aged: Vec<(bool, Age, InvoiceId)> = found.into_iter().filter_map(aged).collect();
        aged.sort_unstable();
        aged.into_iter().map(|(.., id)| id).collect()
    }

    /// What takes the money that comes for a real invoice. What comes for a voided one is the customer's credit, wherever
    /// its charges are by then.
    fn payee(&self, desk: &Rehearsal, invoice: InvoiceId) -> Option<InvoiceId> {
        let voided = self.standing.voided_for(invoice);
        voided.or_else(|| self.standing_for(desk, invoice).first().copied())
    }

    /// A customer paid an invoice: so they pay what stands for it, and nothing where nothing does. What is too much pays
    /// what else is open.
    pub fn paid(&mut self, desk: &mut Rehearsal, event: &invoice::Event) -> Result<(), CommandError> {
        let invoice::Event::PaymentRecorded {
            at,
            invoice,
            reference,
            amount,
            method,
            paid_at,
            ..
        } = event
        else {
            return Ok(());
        };
        let Some(id) = self.payee(desk, *invoice) else {
            return Ok(());
        };
        let pay = invoice::Command::Pay {
            at: *at,
            reference: reference_here(desk, id, *invoice, reference),
            amount: *amount,
            method: method.clone(),
            paid_at: *paid_at,
        };
        self.pay(desk, id, &pay)?;
        let stream = id.to_string();
        if desk.state::<Invoice>(&stream).open()?.minor == 0 {
            let payment = payment_id(desk.tenant(), id).to_string();
            let at = desk.at();
            desk.send::<Payment>(&payment, &payment::Command::Withdraw { at })?;
        }
        Ok(())
    }

    fn pay(&mut self, desk: &mut Rehearsal, id: InvoiceId, pay: &invoice::Command) -> Result<(), CommandError> {
        let Some((account, age)) = self.made.get(&id).cloned() else {
            return Ok(());
        };
        let Some(bills) = self.by_payer.get_mut(&account) else {
            return Ok(());
        };
        for event in desk.send::<Invoice>(&id.to_string(), pay)? {
            if let invoice::Event::PaymentRecorded {
                at,
                invoice,
                customer,
                reference,
                overpaid: Some(amount),
                ..
            } = event
            {
                let source = Source::Overpayment { invoice, reference };
                let grant = credit::Command::Grant {
                    at,
                    customer,
                    amount,
                    source,
                };
                desk.send::<Credit>(&account, &grant)?;
                bills.use_credit(desk, &account)?;
            }
        }
        if desk.state::<Invoice>(&id.to_string()).open()?.minor <= 0 {
            bills.open.remove(&age);
        }
        Ok(())
    }

    /// How a collection went is how that of what stands for its invoice goes, where that is asked for, too. Money comes even
    /// where nobody waits for it any more.
    pub fn settled(&mut self, desk: &mut Rehearsal, event: &payment::Event) -> Result<(), CommandError> {
        let (payment::Event::Succeeded { invoice, .. } | payment::Event::Failed { invoice, .. }) = event else {
            return Ok(());
        };
        let Some(id) = self.payee(desk, *invoice) else {
            return Ok(());
        };
        let stream = payment_id(desk.tenant(), id).to_string();
        let state = desk.state::<Payment>(&stream);
        let withdrawn = matches!(state, Payment::Withdrawn { .. });
        let comes = matches!(event, payment::Event::Succeeded { .. }) && withdrawn;
        let Some(wanted) = state.wanted().cloned().filter(|_| state.is_under_way() || comes) else {
            return Ok(());
        };
        match event {
            payment::Event::Succeeded { at, reference, .. } => {
                let at = *at;
                let succeed = payment::Command::Succeed {
                    at,
                    reference: reference.clone(),
                };
                desk.send::<Payment>(&stream, &succeed)?;
                let pay = invoice::Command::Pay {
                    at,
                    reference: reference_here(desk, id, *invoice, reference),
                    amount: wanted.amount,
                    method: wanted.processor,
                    paid_at: at,
                };
                self.pay(desk, id, &pay)
            }
            payment::Event::Failed { at, reason, .. } => {
                let (at, reason) = (*at, reason.clone());
                desk.send::<Payment>(&stream, &payment::Command::Fail { at, reason })?;
                // Credit that was given meanwhile has waited for this.
                let Some((account, age)) = self.made.get(&id).cloned() else {
                    return Ok(());
                };
                let Some(bills) = self.by_payer.get_mut(&account) else {
                    return Ok(());
                };
                bills.open.insert(age, id);
                bills.use_credit(desk, &account)
            }
            payment::Event::Requested { .. } | payment::Event::Withdrawn { .. } => Ok(()),
        }
    }

    /// What stands for an invoice is voided with it: credit that paid that is there again, and what it granted is not.
    pub fn void(&mut self, desk: &mut Rehearsal, invoice: InvoiceId, ids: &[InvoiceId]) -> Result<(), CommandError> {
        desk.attempt(|desk| ids.iter().try_for_each(|id| void(desk, *id)))?;
        self.standing.voided(invoice, ids);
        for id in ids {
            let Some((account, age)) = self.made.get(id) else {
                continue;
            };
            if let Some(bills) = self.by_payer.get_mut(account) {
                bills.open.remove(age);
                bills.use_credit(desk, account)?;
            }
        }
        Ok(())
    }
}

impl Bills {
    fn use_credit(&mut self, desk: &mut Rehearsal, account: &str) -> Result<(), CommandError> {
        if desk.state::<Credit>(account).balance(self.payer.currency)?.minor <= 0 {
            return Ok(());
        }
        let open: Vec<InvoiceId> = self.open.values().copied().collect();
        pay_from_credit(desk, self.payer, account, &open)?;
        self.forget_closed(desk)
    }

    fn forget_closed(&mut self, desk: &Rehearsal) -> Result<(), CommandError> {
        let mut closed = Vec::new();
        for (age, invoice) in &self.open {
            if desk.state::<Invoice>(&invoice.to_string()).open()?.minor <= 0 {
                closed.push(*age);
            }
        }
        for age in closed {
            self.open.remove(&age);
        }
        Ok(())
    }
}

/// What pays another invoice here is named by the one that it really paid, too: one of each may have the same reference.
fn reference_here(desk: &Rehearsal, id: InvoiceId, really: InvoiceId, reference: &str) -> String {
    if id == really {
        return reference.to_owned();
    }
    let name = format!("what-if/{really}/{reference}");
    desk.tenant().derive(&name).to_string()
}

fn payer(issued: &Issued) -> Payer {
    Payer {
        customer: issued.customer,
        currency: issued.currency,
    }
}

fn request(desk: &mut Rehearsal, customer: CustomerId, invoice: InvoiceId) -> Result<(), CommandError> {
    let amount = desk.state::<Invoice>(&invoice.to_string()).open()?;
    if amount.minor <= 0 {
        return Ok(());
    }
    let payment = payment_id(desk.tenant(), invoice);
    let wanted = Wanted {
        payment,
        invoice,
        customer,
        amount,
        processor: None,
        notice: None,
    };
    let at = desk.at();
    desk.send::<Payment>(&payment.to_string(), &payment::Command::Request { at, wanted })?;
    Ok(())
}

fn void(desk: &mut Rehearsal, id: InvoiceId) -> Result<(), CommandError> {
    let (at, stream) = (desk.at(), id.to_string());
    let Some(payer) = desk.state::<Invoice>(&stream).issued().map(payer) else {
        return Ok(());
    };
    let account = invoicing::credit(desk.tenant(), payer);
    let reason = "voided".to_owned();
    for event in desk.send::<Invoice>(&stream, &invoice::Command::Void { at, reason })? {
        let invoice::Event::Voided {
            invoice,
            customer,
            credit_returned,
            credit_taken_back,
            ..
        } = event
        else {
            continue;
        };
        let payment = payment_id(desk.tenant(), id).to_string();
        desk.send::<Payment>(&payment, &payment::Command::Withdraw { at })?;
        if let Some(amount) = credit_returned {
            let source = Source::VoidedInvoice { invoice };
            let grant = credit::Command::Grant {
                at,
                customer,
                amount,
                source,
            };
            desk.send::<Credit>(&account, &grant)?;
        }
        if let Some(amount) = credit_taken_back {
            let take_back = credit::Command::TakeBack {
                at,
                customer,
                amount,
                invoice,
            };
            desk.send::<Credit>(&account, &take_back)?;
        }
    }
    Ok(())
}
