//! Voiding an invoice: nothing of it is to be paid, and its charges wait for another one.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent, Decider,
    credit::{self, Credit, Source},
    id::{ChargeId, InvoiceId, SubscriptionId, TenantId},
    invoice::{self, Invoice, Issued},
    money::Money,
    payment::{self, Payment, payment_id},
    subscription::{self, Charge, Subscription},
};
use projections::{invoice::InvoiceView, subscription::Payer};

use crate::{
    app::{
        App,
        credits::{pay_from_credit, with_invoices},
        invoicing,
    },
    journal::{CommandError, Request, Streams, Unit},
};

/// How many subscriptions' histories are read at a time.
const HISTORIES: usize = 64;

/// The charges of an invoice as they were made, subscription by subscription.
type Released = BTreeMap<SubscriptionId, Vec<Charge>>;

impl App {
    /// Voids an invoice in one append: its charges go back to their subscriptions, credit that paid it back to the
    /// customer, where it pays what else is open; what it granted is taken back, and nobody collects it any more.
    pub async fn void_invoice(
        &self,
        request: &Request,
        id: InvoiceId,
        reason: &str,
    ) -> Result<InvoiceView, CommandError> {
        let tenant = &request.tenant;
        let bill = id.to_string();
        let now: Invoice = self.journal.state(tenant, &bill).await?;
        let issued = now.issued().ok_or(invoice::Refused::Unknown)?;
        let payer = Payer {
            customer: issued.customer,
            currency: issued.currency,
        };
        let released = if now.is_voided() {
            Released::new()
        } else {
            self.charged(tenant, issued).await?
        };
        let mut open = self.open_invoices(tenant, payer).await?;
        open.retain(|other| *other != id);
        let (account, collected) = (invoicing::credit(tenant, payer), payment_id(tenant, id).to_string());
        let streams = with_invoices(tenant, &open)
            .with::<Invoice>(&bill)
            .with::<Credit>(&account)
            .with::<Payment>(&collected);
        let streams = released.keys().fold(streams, Streams::with::<Subscription>);
        self.journal.load_ahead(tenant, &streams).await?;
        self.journal
            .execute(request, streams, |unit| {
                let at = unit.at();
                let reason = reason.to_owned();
                let events = unit.send::<Invoice>(&bill, &invoice::Command::Void { at, reason })?;
                let Some(invoice::Event::Voided {
                    credit_returned,
                    credit_taken_back,
                    ..
                }) = events.first()
                else {
                    return Ok(());
                };
                unit.send::<Payment>(&collected, &payment::Command::Withdraw { at })?;
                for (subscription, charges) in &released {
                    let release = subscription::Command::ReleaseCharges {
                        at,
                        invoice: id,
                        charges: charges.clone(),
                    };
                    unit.send::<Subscription>(&subscription.to_string(), &release)?;
                }
                settle(unit, payer, id, (*credit_returned, *credit_taken_back))?;
                if credit_returned.is_some() {
                    pay_from_credit(unit, payer, &account, &open)?;
                }
                Ok(())
            })
            .await?;
        // What came back pays whatever is open, also what was not looked at above or has come since.
        self.use_credit(request, payer).await?;
        self.invoice_of(tenant, id).await
    }

    /// An invoice keeps of its charges what is printed: what they were made as stands in the log.
    async fn charged(&self, tenant: &TenantId, issued: &Issued) -> Result<Released, CommandError> {
        let mut wanted: BTreeMap<SubscriptionId, BTreeSet<ChargeId>> = BTreeMap::new();
        for line in &issued.lines {
            let of = line.subscription.unwrap_or(issued.subscription);
            wanted.entry(of).or_default().insert(line.charge);
        }
        let mut released = Released::new();
        let owners: Vec<String> = wanted.keys().map(ToString::to_string).collect();
        for page in owners.chunks(HISTORIES) {
            let histories = self.journal.histories(tenant, Subscription::TYPE, page).await?;
            for (of, history) in histories {
                let of: SubscriptionId = of.parse().map_err(|error| CommandError::Corrupt(Box::new(error)))?;
                let wanted = wanted.get(&of).ok_or_else(unmade)?;
                let events = history.iter().flat_map(|recording| &recording.events);
                let made = events.flat_map(|event| match event {
                    AnyEvent::Subscription(subscription::Event::Accrued { charges, .. }) => charges.as_slice(),
                    AnyEvent::Subscription(subscription::Event::ChargeAdded { charge, .. }) => {
                        std::slice::from_ref(charge)
                    }
                    _ => &[],
                });
                let charges = made.filter(|charge| wanted.contains(&charge.id)).cloned().collect();
                released.insert(of, charges);
            }
        }
        let found = |of: &SubscriptionId| released.get(of).map(Vec::len);
        if wanted.iter().any(|(of, wanted)| found(of) != Some(wanted.len())) {
            return Err(unmade());
        }
        Ok(released)
    }
}

fn unmade() -> CommandError {
    CommandError::Corrupt("an invoice over charges that nobody made".into())
}

/// Gives the customer back what credit had paid, and takes from them what the invoice had granted.
fn settle(
    unit: &mut Unit<'_>,
    payer: Payer,
    invoice: InvoiceId,
    (returned, lost): (Option<Money>, Option<Money>),
) -> Result<(), CommandError> {
    let (at, customer) = (unit.at(), payer.customer);
    let account = invoicing::credit(unit.tenant(), payer);
    if let Some(amount) = returned {
        let grant = credit::Command::Grant {
            at,
            customer,
            amount,
            source: Source::VoidedInvoice { invoice },
        };
        unit.send::<Credit>(&account, &grant)?;
    }
    if let Some(amount) = lost {
        let take_back = credit::Command::TakeBack {
            at,
            customer,
            amount,
            invoice,
        };
        unit.send::<Credit>(&account, &take_back)?;
    }
    Ok(())
}
