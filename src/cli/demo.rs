//! The demo tenant of an empty database: something of everything, and a line to paste for each command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aggregates::{
    Refused,
    calendar::{self, Period, PeriodUnit},
    customer::{Contact, Profile},
    id::{CustomerId, LineId, TenantId},
    money::Currency,
    order_terms::OrderBillingChanges,
    subscription::{ChargeType, Cycle, OrderLine},
    tenant,
    terms::InvoiceTrigger,
};
use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::{CliError, credentials};
use crate::{
    app::{
        App, Principal,
        access::TokenKind,
        contracts::{ChargeOrder, NewContract, Special},
        orders::NewOrder,
        tenants::NewTenant,
    },
    journal::{CommandError, Request},
};

/// The same in every process, so that of several started at once on one database one makes the tenant.
const TENANT: &str = "t_demo";
const ACCOUNT: &str = "DEMO01";

/// The demo tenant with what the lines to paste speak of.
pub struct Demo {
    tenant: NewTenant,
    access_token: String,
    order: String,
    client: CustomerId,
    now: DateTime<Utc>,
}

/// Things made before the tenant itself.
struct Seed {
    order: String,
    client: CustomerId,
}

/// Makes the demo tenant where there is no tenant at all. `None` where there is one, or another process was faster.
pub async fn of_an_empty_database(app: &App) -> Result<Option<Demo>, CliError> {
    if !app.tenants().await?.is_empty() {
        return Ok(None);
    }
    // The tenant comes last: whoever gets to make it knows that everything else is there, and a start that was cut off
    // before it is made good by the next one.
    let seed = seed(app).await?;
    let tenant = match app.create_tenant_as(&TenantId::from_stored(TENANT), "demo").await {
        Ok(tenant) => tenant,
        Err(CommandError::Refused(Refused::Tenant(tenant::Refused::AlreadyExists))) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let principal = Principal {
        tenant: TenantId::from_stored(TENANT),
        actor: tenant.exsited.client_id.clone(),
        test_mode: false,
    };
    Ok(Some(Demo {
        access_token: app.issue_token(&principal, TokenKind::ExsitedAccess).await?,
        now: app.clock.now(),
        order: seed.order,
        client: seed.client,
        tenant,
    }))
}

/// Every step has a key, so that it is done once, however many processes try and however often.
fn step(app: &App, name: &str) -> Request {
    Request::new(TenantId::from_stored(TENANT), "demo", "cli", app.clock.now()).with_key(&format!("demo/{name}"), &[])
}

async fn seed(app: &App) -> Result<Seed, CliError> {
    let buyer = customer(app, "buyer", None, "Example Buyer Ltd").await?;
    contract_with_a_charge(app, buyer).await?;
    let account = customer(app, "account", Some(ACCOUNT), "Example Account Ltd").await?;
    Ok(Seed {
        order: order(app, account).await?,
        client: customer(app, "client", None, "Example Client Ltd").await?,
    })
}

fn this_month(today: NaiveDate) -> NaiveDate {
    today.with_day(1).unwrap_or(today)
}

async fn customer(app: &App, name: &str, code: Option<&str>, full_name: &str) -> Result<CustomerId, CliError> {
    let contact = Contact {
        name: Some(full_name.to_owned()),
        emails: [("main".to_owned(), format!("{name}@example.com"))].into(),
        ..Contact::default()
    };
    let request = step(app, name);
    Ok(app.create_customer(&request, code, Profile::default(), contact).await?)
}

/// A contract whose first month waits for its invoice.
async fn contract_with_a_charge(app: &App, customer: CustomerId) -> Result<(), CliError> {
    let plan = app.create_plan(&step(app, "plan"), "Basic", Currency::EUR).await?;
    let contract = NewContract {
        customer,
        plan,
        currency: Currency::EUR,
        cycle: Cycle::Month,
        activation: None,
        automatic_payment: None,
        invoice_trigger: Some(InvoiceTrigger::Manual),
        pending: false,
        special: Special::default(),
    };
    let signed = app.sign_contract(&step(app, "contract"), contract).await;
    let contract = signed.map_err(|error| CliError::Demo(Box::new(error)))?;
    let start = this_month(app.clock.now().date_naive());
    let charge = ChargeOrder {
        name: "Basic, first month".to_owned(),
        amount: "49.00".to_owned(),
        period: Period {
            start,
            end: calendar::after(start, PeriodUnit::Month, 1),
        },
        flat_fee: true,
        automatic_payment: None,
    };
    app.add_charge(&step(app, "charge"), contract, &charge).await?;
    Ok(())
}

/// An order that begins next month: what it charges must not come between the lines that are pasted today.
async fn order(app: &App, customer: CustomerId) -> Result<String, CliError> {
    let request = step(app, "order");
    let today = request.at.date_naive();
    let order = NewOrder {
        customer,
        account: ACCOUNT.to_owned(),
        number: None,
        name: Some("Support".to_owned()),
        currency: Currency::AUD,
        start: calendar::after(this_month(today), PeriodUnit::Month, 1).unwrap_or(today),
        price_tax_inclusive: false,
        lines: vec![OrderLine {
            id: LineId(request.derive("line/0")),
            item: "ITEM-0001".to_owned(),
            name: Some("Support".to_owned()),
            quantity: Decimal::TWO,
            price: Decimal::new(6_25, 2),
            charge_type: ChargeType::Recurring,
            tax: None,
        }],
        billing: OrderBillingChanges::default(),
    };
    Ok(app.create_order(&request, &order).await?.number)
}

impl Demo {
    /// What is shown, this once, of a tenant that answers at `address`.
    pub fn introduction(&self, address: SocketAddr) -> String {
        let lines = self.lines(address).join("\n\n");
        format!(
            "The database was empty: there is a tenant \"demo\" in it now. Its credentials, shown this once:\n\n{}\n\n\
             Four commands to paste into another terminal (the token of the second is good for an hour):\n\n{lines}\n",
            credentials(&self.tenant)
        )
    }

    /// `UpdateInvoicingPreferences`, `UpdateOrderBillingPreferences`, `CreateInvoices`, `SendBilling`.
    fn lines(&self, address: SocketAddr) -> [String; 4] {
        let base = format!("http://{}", reachable(address));
        let wingback = format!("wb-key: {}", self.tenant.wingback.api_key);
        let exsited = format!("Authorization: Bearer {}", self.access_token);
        let chip = format!("Authorization: Bearer {}", self.tenant.chip.secret_key);
        let due = (self.now + Duration::days(30)).timestamp();
        let preferences = json!({"automatic_payment": true, "invoice_trigger": "manual"});
        let order = json!({"order": {"properties": {"payment_term": "Net 14", "invoice_mode": "MANUAL"}}});
        let billing = json!({
            "clients": [{"client_id": self.client}],
            "purchase": {"currency": "EUR", "products": [{"name": "Consulting", "price": 10_000}]},
            "invoice_due": due,
        });
        [
            curl(
                "POST",
                &format!("{base}/v1/c/preferences/invoicing"),
                &wingback,
                &preferences,
            ),
            curl(
                "PATCH",
                &format!("{base}/orders/{}/billing-preferences", self.order),
                &exsited,
                &order,
            ),
            curl("POST", &format!("{base}/v1/c/invoice"), &wingback, &json!({})),
            curl("POST", &format!("{base}/billing/"), &chip, &billing),
        ]
    }
}

/// A line for a shell; nothing in it has a quote of its own.
fn curl(method: &str, url: &str, credential: &str, body: &serde_json::Value) -> String {
    format!("curl -i -X {method} {url} -H '{credential}' -H 'Content-Type: application/json' -d '{body}'")
}

/// An address that stands for every one of the machine is reached by the machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
