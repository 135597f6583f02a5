"""phrases.py - the sentences that templates.py puts together. Written for this project; one sentence a line, '{hole}' is filled."""


def lines(text):
    return [line.strip() for line in text.strip().split("\n") if line.strip()]


HOLES = {
    "name": "Anna Ben Carla David Emma Felix Grace Henry Iris Jack Kate Leo Maria Nick Olga Paul Rosa Sam Tina Victor Wendy Yusuf".split(),
    "surname": "Smith Jones Garcia Miller Chen Kumar Rossi Novak Silva Brown Meyer Tanaka Okafor Larsen Dubois Walsh".split(),
    "home": "gmail.com yahoo.com hotmail.com mail.net example.org home.net fastmail.com isp.ie".split(),
    "firmhost": "corp.com acme.com initech.com example.com northwind.com partners.co.uk globex.com".split(),
    "firm": ["Acme", "Northwind", "Globex", "City Power", "Blue Water", "Telco One", "Amazon.com", "Contoso", "Initech", "Fabrikam", "Metro Gas",
             "FirstBank", "Sunrise Insurance", "Coffee Shop", "BookWorld", "PhoneCo", "FastNet", "Green Energy", "Umbrella Hosting", "Skyline Air"],
    "utility": "electricity,electric,gas,water,sewer,heating,power,energy,utility,trash collection,internet,broadband,phone,mobile phone,wireless,"
               "cable,cable TV,satellite,telephone,cell phone,long distance,hosting,internet service".split(","),
    "thing": "a pair of shoes,the blue jacket,two books,wireless headphones,a coffee maker,printer ink,the concert tickets,garden chairs,"
             "a laptop stand,running socks,a gift card,the annual subscription,one DVD,a desk lamp,groceries,a hotel night,a used bicycle,cat food".split(","),
    "topic": "the budget,the new project,the quarterly report,the contract,the marketing plan,the release,hiring,the customer presentation,"
             "the audit,the partnership,next year's targets,the roadmap,the supplier negotiation,the sales forecast,the board meeting,the proposal".split(","),
    "product": "running shoes,laptops,vacation packages,summer dresses,vitamins,phones,furniture,kitchen tools,software,magazines,jewelry,toys,"
               "cameras,wine,flowers,skin care,books,TVs,mattresses,inkjet cartridges".split(","),
    "device": "the printer,my laptop,the app,the website,my account,the router,the installer,the database server,the login page,the VPN,"
              "the latest version,the driver,the plugin,the modem,my password,the export,the mail client,the kernel module".split(","),
    "day": "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday,tomorrow,tonight,next week,the weekend,this afternoon".split(","),
    "relative": "mom,dad,my sister,your brother,grandma,the kids,aunt Mary,uncle Joe,the baby,the dog,the cat,my cousin".split(","),
}

GREETINGS = ["Dear {name},", "Hi {name},", "Hello,", "Dear Customer,", "Hi,", "Dear Sir or Madam,", "Hello {name},", "Dear {name} {surname},", "Hey {name}!"]
CLOSINGS = ["Regards, {name}", "Thanks, {name}", "Best regards", "Sincerely, {firm}", "Thank you", "Cheers, {name}", "Kind regards, {name} {surname}", "The {firm} Team"]

SUBJECTS = {
    "bill": lines("""
        Your {utility} bill
        Your monthly {utility} bill is ready
        Invoice {number}
        Invoice #{number} from {firm}
        Payment due {date}
        Your {firm} statement is available
        Bill for {date}
        Reminder: payment due
        Past due notice
        Your credit card statement
        Amount due: {money}
        Rent due
        Monthly statement
        {firm} bill reminder
        Overdue invoice {number}
        Your account balance
        Premium due
        Renewal invoice"""),
    "receipt": lines("""
        Your receipt from {firm}
        Your {firm} order receipt
        Order confirmation #{number}
        Your {firm} order
        Payment received
        Thank you for your purchase
        Thank you for your order
        Your order has shipped
        Receipt for your payment to {firm}
        Your e-ticket
        Your payment confirmation
        Order {number} confirmed
        Booking confirmation {number}
        Your subscription receipt
        Donation receipt
        Refund processed
        Purchase confirmation"""),
    "business": lines("""
        Meeting about {topic}
        {topic}
        Agenda for {day}
        Minutes of the meeting
        Re: {topic}
        Draft of {topic}
        Question on {topic}
        Interview on {day}
        Contract for signature
        Status report
        Team update
        Meeting moved
        Conference call {day}
        Your application"""),
    "personal": lines("""
        Dinner on {day}?
        Happy birthday
        Photos
        hi
        Re: hi
        {day}
        Long time no see
        Thanks!
        weekend
        Re: weekend plans
        How are you
        Congratulations
        Miss you
        news from us
        funny"""),
    "marketing": lines("""
        {small}0% off {product}
        Weekend sale
        New arrivals: {product}
        This week's deals
        {firm} newsletter
        Last chance: sale ends {day}
        Exclusive offer for you
        Introducing our new {product}
        Free shipping this weekend
        Save on {product}
        Members only: special savings
        Our summer catalogue is here"""),
    "support": lines("""
        Problem with {device}
        {device} does not work
        Help needed
        Re: Ticket {number}
        [Ticket #{number}] {device}
        Error after update
        Cannot log in
        Support request
        How do I set up {device}?
        Bug: {device} crashes
        Your support case {number}
        Question about {device}"""),
    "near": lines("""
        Re: your mail
        the bill
        question
        list
        Re: Re: news
        hello
        politics"""),
    "scam": lines("""
        Congratulations!
        YOU HAVE WON
        Get rich quick
        FREE offer inside!!!
        Lose weight now
        $$$ Make money fast $$$
        Urgent business proposal
        Limited time offer!
        Lowest mortgage rates
        Hot stock tip"""),
}

MAIN = {
    "bill": lines("""
        Invoice attached.
        Your service will be cut off unless you pay the overdue balance of {money}.
        You owe {money}. Please pay by {date}.
        Autopay of {money} is scheduled for {date}, your statement is ready.
        The attached invoice is due in {small} days.
        Your bill of {money} is ready for payment.
        Your {utility} bill for this month is {money}.
        Your monthly {utility} bill is now available online.
        The amount due on your {utility} account is {money}, payable by {date}.
        Please find attached invoice {number} for {money}.
        Invoice {number} in the amount of {money} is due on {date}.
        Your payment of {money} is due on {date}.
        Your credit card statement is ready. Minimum payment due: {money}. New balance: {money}. Payment due date: {date}.
        Rent for {date} is due. Please transfer {money} to the landlord's account.
        Your insurance premium of {money} is due by {date}.
        Total amount due: {money}. Due date: {date}. Account number: {number}.
        This is a reminder that your account is past due. Please pay {money} to avoid service interruption.
        Your invoice is overdue by {small} days. Please remit {money} immediately.
        Your wireless bill is ready to view. Amount due {money}.
        Your statement balance is {money}; pay by {date} to avoid a late fee.
        We have not received your payment of {money} for invoice {number}.
        Your domain is due for renewal. Renewal fee {money}, payable before {date}.
        Please pay the attached invoice within {small} days. Net 30. Total {money}.
        Property tax notice: {money} payable to the county by {date}.
        Your loan installment of {money} will be due on {date}.
        Tuition and fees of {money} are due before the term begins on {date}.
        Usage charges for your account {number}: {money}. Please submit payment by {date}.
        Pay your bill online: balance due {money}.
        Your {utility} service may be disconnected unless the outstanding balance of {money} is paid by {date}.
        Please make your payment of {money} at your earliest convenience. Invoice number {number}.
        Your automatic payment of {money} for your {utility} bill will be withdrawn on {date}.
        Electricity charges this month {money}, previous balance {money}, total due {money}.
        Dental services rendered on {date}: patient balance due {money}.
        Hospital bill: your responsibility after insurance is {money}. Payment is due upon receipt.
        Your mortgage payment of {money} is due on the first of the month.
        The invoice for consulting services in the amount of {money} is attached, payment terms 30 days.
        Homeowners association dues of {money} are now payable.
        Subscription renewal notice: you will be billed {money} on {date} unless you cancel.
        Final notice: {money} outstanding on account {number}. Pay now to avoid collection.
        Your bill is ready. Sign in to view and pay it.
        Here is your gas bill. Usage {number} kWh. Amount payable {money}.
        Your phone bill for {date} comes to {money}.
        Your new bill from {firm} is here: {money} due {date}.
        Payment request: {money} for {utility} service, billing period {date} to {date}.
        Your water bill is {money} and it must be paid by {date}.
        The bill for your car repair comes to {money}, please pay within {small} days.
        Your credit card payment is due. Minimum amount {money}.
        Please settle invoice no. {number} at your convenience. Sum: {money}."""),
    "receipt": lines("""
        Your subscription payment of {money} was processed successfully.
        Receipt attached.
        Payment successful: {money} to {firm}.
        Your tax refund of {money} has been deposited into your account.
        Your payment was successful. Amount: {money}.
        We have charged {money} to your card for your monthly subscription.
        The receipt for your stay is attached.
        Thank you for your purchase at {firm}. Total {money}.
        Thank you for your order. Order number {number}. Order total: {money}.
        Thank you for your order.
        We received your payment of {money}. Thank you.
        Your payment of {money} was received on {date}. Confirmation number {number}.
        This is your receipt for {thing}. Total paid: {money}.
        Your order #{number} has been confirmed. Items: {thing}. Total charged: {money}.
        Your order has shipped. It contains {thing}. Tracking number {number}.
        You paid {money} to {firm} with your Visa card ending in {number}.
        Your card ending in {number} was charged {money} on {date}.
        Here is your receipt. Subtotal {money}, tax {money}, total {money}. Paid by credit card.
        Your e-ticket receipt: flight on {date}, fare {money}, confirmation code {number}.
        Your booking is confirmed. Hotel, {small} nights, total price {money}, paid in full.
        Thanks for shopping with us! You bought {thing} for {money}.
        Receipt number {number}. Amount paid {money}. Date paid {date}. Payment method Mastercard.
        Thank you for your donation of {money}. This letter serves as your receipt.
        Your subscription has been renewed. We charged {money} to your card. Keep this receipt for your records.
        Thank you for riding with us. Trip fare {money}, charged to your card.
        Order receipt: {thing}, quantity 1, {money}. Shipping free. Grand total {money}.
        Purchase confirmation: you have bought {thing}. The amount of {money} has been charged.
        A refund of {money} for your order {number} has been issued to your card.
        Your transaction is complete. You sent {money} to {firm}. Transaction ID {number}.
        Thank you for your payment. Your account has been credited with {money}.
        We have received your payment for invoice {number}. Paid in full.
        Your tickets are confirmed. Order {number}, total {money}, paid with Visa.
        Your food order from {firm} is on its way. Total paid {money} including tip.
        We are processing your order of {thing}. Order date {date}. You will get another mail when it ships.
        Your purchase of {thing} was successful. Your receipt is attached.
        Payment confirmation: {money} received from {name} {surname} on {date}, reference {number}.
        Your download is ready. Thank you for buying {product}. Order ID {number}, price {money}.
        This confirms your purchase of {thing} on {date}. Price {money}. Please keep this email as proof of purchase.
        Delivered: your package with {thing}. Order {number}.
        Thanks for your payment to {firm}; the transaction of {money} has been approved.
        Your parking receipt: {small} hours, {money} paid.
        Store receipt: cash {money}, change {money}. Thank you, come again."""),
    "business": lines("""
        Please find the minutes from yesterday's call. Action items are listed below.
        We regret to inform you that your application was not successful.
        Please approve the purchase order by end of day, it is needed for the launch.
        Your appointment is confirmed for {day} at {hour}.
        Hi team, the action items from the review are below.
        Meeting scheduled for {day} at {hour}.
        The meeting on {topic} is moved to {day} at {hour}.
        Please review {topic} before {day}.
        Please review the quarterly report.
        Attached is the draft of {topic} for your comments.
        Can we schedule a call about {topic} on {day}?
        The client has approved {topic} and wants to start on {date}.
        Here are the minutes of the meeting with the steering committee.
        We would like to invite you to an interview for the position of engineer on {day} at {hour}.
        The board will discuss {topic} at the next session.
        Please send me the figures for {topic} by end of day.
        Our sales in the last quarter grew by {small} percent compared to the forecast.
        I am pleased to forward the signed contract between our companies.
        All employees must complete the compliance training by {date}.
        The project is on schedule; the next milestone is {date}.
        Let's discuss {topic} in the team meeting.
        Thank you for your application. We will contact you after reviewing your resume.
        The budget proposal for the department needs your approval.
        Our legal department has some remarks regarding {topic}.
        Conference call with the vendor on {day} at {hour}, dial-in number {number}.
        The office will be closed on {date} for the holiday.
        Kindly confirm the delivery schedule of the purchase order with the supplier.
        The presentation for the investors is in the shared folder, please add your slides.
        Please submit your expense report and time sheet by {day}.
        As discussed, I am sending the proposal and the terms of the agreement.
        The new hire starts on {date}, please prepare a desk and an account.
        Quarterly results and the revenue forecast will be presented to the shareholders.
        The deadline of the project has been extended to {date}.
        Could you update the spreadsheet with last month's revenue numbers?
        Management has decided to reorganize the sales department."""),
    "personal": lines("""
        Happy birthday! Hope you have a wonderful day.
        happy great day
        Are you free for dinner on {day}?
        Let's have lunch together on {day}.
        Hi, how are you? We had a great time at the beach with {relative}.
        I miss you so much, call me when you get home.
        Here are the photos from the wedding.
        {relative} says hello and hopes to see you soon.
        Do you want to come over for a barbecue on {day}?
        Thanks for the lovely gift, the kids were so happy.
        Guess what, we are having a baby!
        I saw the movie last night and thought of you.
        How was your vacation? Tell me everything.
        Can you pick up {relative} at the station on {day}?
        Love you, see you tonight.
        Did you watch the game yesterday? What a goal!
        We moved into the new house, come visit us any time.
        Sorry I didn't write for so long, life has been crazy.
        My flight lands at {hour}, can you pick me up?
        Congratulations on your graduation, we are so proud of you!
        The party was so much fun, thanks for having us.
        I'm feeling better now, the doctor says I can go home on {day}.
        Let's catch up over coffee sometime.
        Remember our school days? I found the old pictures.
        Mom wants to know if you are coming for Christmas.
        The funniest thing happened to me on the way to work today.
        Have a great weekend, hugs and kisses.
        I read that book you gave me and I liked it a lot.
        Wanna go hiking with us on {day}? The weather should be nice.
        My dear friend, it was so good to hear your voice.
        Hey, what are you doing on {day}? Want to hang out?
        I think the government is wrong on this one, but we can argue about it over a beer."""),
    "marketing": lines("""
        Save up to {small}0% on {product} this weekend only!
        Shop our biggest sale of the year and get free shipping.
        New arrivals: discover the latest {product} in our store.
        Click here to claim your exclusive discount on {product}.
        Special offer for our subscribers: buy one, get one free.
        Don't miss out! Sale ends {day}. Shop now.
        Introducing the all new {product}, now in stores.
        You are receiving this newsletter because you signed up on our site. To unsubscribe, click here.
        Use coupon code SAVE{small}0 at checkout and save on {product}.
        Our summer collection of {product} is here. Order today.
        Upgrade today and enjoy premium features for only {money} per month.
        Limited time offer on {product}: prices start at {money}.
        This week in our newsletter: tips, trends and deals on {product}.
        Join our loyalty program and earn points on every purchase.
        Win a trip to Hawaii! Enter our sweepstakes today.
        Free trial: try our {product} for 30 days at no cost.
        Refer a friend and you both get {money} off your next order.
        Lowest prices on {product} guaranteed. Visit our website.
        Hot deals for you: {product} from just {money}.
        Register now for our free webinar and learn how to grow your business.
        Dear shopper, we picked these {product} just for you.
        Get a free quote today and save hundreds on your car insurance.
        Clearance event: everything must go, up to {small}0% off.
        Advertise with us and reach a million customers.
        As a valued customer you get early access to our holiday deals.
        Get rich quick! Click here!
        Last chance to save on {product} before prices go up.
        Subscribe now and receive a free gift with your first issue."""),
    "support": lines("""
        The server is down and customers cannot check out, please look into it.
        I cannot connect to the wifi after the update.
        This is the worst service ever, I want to file a complaint.
        The production database is down, we need someone on this now.
        I cannot log in to {device}, it says my password is wrong.
        {device} crashes every time I open it. What should I do?
        How do I install {device} on my computer?
        I get an error message when I start {device}: code {number}.
        Since the last update {device} does not work any more.
        Your ticket {number} has been received; our support team will answer within 24 hours.
        We have resolved your support case. Please let us know if the problem persists.
        Please help me reset my password.
        This is not good, I have a terrible problem with {device}, sorry.
        My order arrived damaged, I would like a replacement.
        The screen stays black after booting, can someone help?
        Have you tried turning {device} off and on again?
        Does anyone know how to configure {device} with a proxy?
        I found a bug: {device} hangs when the file is larger than two gigabytes.
        Steps to reproduce: open {device}, click save, it freezes. Expected: no crash.
        Our technician will contact you about the problem with {device}.
        Could you tell me why {device} keeps disconnecting?
        I am having trouble with {device}, please advise.
        The download fails at {small}0 percent with a timeout error. Any ideas?
        Thank you for contacting customer support. Your reference is {number}.
        I tried to compile it from source but make stops with an undefined reference.
        My internet connection is down since this morning, please fix it.
        Your request has been escalated to our technical team.
        To fix the issue, please uninstall {device} and reinstall the latest version.
        I was charged twice, can customer service please look into it?
        Has anyone else seen this problem with {device}? I am running version {small}.{small}.
        The patch fixes the segmentation fault in {device}.
        I need help with my account, I cannot change my email address.
        Where can I find the manual for {device}?"""),
    "near": lines("""
        Hello world
        The senate passed the bill on {day}.
        Bill Gates wrote about the future of software.
        I received your message, thanks.
        More than a billion people use it.
        Bill said he would be late on {day}.
        The president signed the bill into law on {date}.
        The house will vote on the bill next week, call your representative.
        Bill Clinton gave a speech in {date}.
        That bill would make it illegal to copy CDs.
        I received the patch and applied it in order to test it.
        In order to build the package you need the headers.
        The order of the arguments matters here.
        Who pays the bill for all this spam? The users do.
        They charged him with fraud, the trial is on {day}.
        The statement in line {small} of the script is wrong.
        He made a statement to the press on {date}.
        The court ordered the company to pay {money} in damages.
        The total number of messages was {number}.
        I paid attention to the balance between speed and memory.
        The due date of the baby is in {date}.
        Thank you for your reply, that solved it.
        Thank you for your help with {device}.
        Confirmation of the theory came from an experiment in the lab.
        I bought a new laptop for {money} and it runs Linux fine.
        It costs about {money} on eBay, which is too much.
        The price of oil rose to {money} on {day}.
        My account of the trip is on my web page.
        They raised {money} million in venture capital.
        Purchase of the company by its rival was approved by the court.
        The tickets for the game were expensive, but it was fun.
        The Bill of Rights protects free speech.
        She fits the bill for the role in the play.
        I order you a beer when you come over.
        Please do not pay any attention to that troll.
        Please confirm your subscription to the mailing list by replying to this message.
        Welcome to the mailing list. Save this message for the address of the archive.
        Get the receipt of the message from the mail server log.
        Your return receipt request was ignored by my mail client.
        The waiter brought the bill and we split it.
        Electric cars need less energy than gas cars.
        The gas in the reactor is heated to {number} degrees.
        Meeting scheduled for {day} at {hour}
        URGENT: please review the quarterly report asap
        This is not good, terrible problem, sorry
        happy happy great day
        Bills were introduced in congress to limit the tax."""),
    "scam": lines("""
        Dear beneficiary, you have been awarded {money} million by the United Nations. Reply with your bank details.
        Cheap meds online, no prescription needed, order now!!!
        Congratulations! You've won a lottery!
        Congratulations, you have won {money} million in the international lottery. Contact our agent to claim your prize.
        You are a winner! Claim your prize now.
        Get rich quick! Click here!
        Make {money} a day working from home, no experience needed!
        FREE!!! Click here now to get your free {product}!!!
        Lose {small}0 pounds in 30 days guaranteed, no diet, no exercise!
        I am the widow of the late general and need your assistance to transfer {money} million out of the country in strictest confidence.
        Buy cheap viagra online without prescription.
        Refinance your mortgage now at the lowest rates, bad credit no problem!
        Earn a university diploma with no tests and no classes, call now.
        Hot singles in your area are waiting for you, click here.
        This stock is about to explode, buy now before it is too late!
        Eliminate your credit card debt today, guaranteed approval!
        Email millions of prospects with our bulk email software, CDs of addresses for only {money}.
        Act now! Limited time! Double your income from home, 100% risk free money back guarantee.
        You have been selected to receive a free vacation, click below to claim it.
        Enlarge it naturally, doctors approved, satisfaction guaranteed or your money back!!!
        Earn thousands of dollars every week with this simple secret system!
        URGENT business proposal: I seek your partnership to transfer the sum of {money} million into your account.
        Your account has been suspended, verify your password and social security number at this link immediately.
        Win cash now!!! Play at our online casino, free bonus {money}.
        Get out of debt! Free consultation! Call toll free 1-800-{number}!!!
        Adult site, free trial membership, see the hottest girls, must be over 18."""),
}

EXTRA = {
    "bill": lines("""
        Account number {number}.
        Please pay by {date} to avoid a late fee.
        You can pay online, by phone or by check.
        Due date: {date}.
        Billing period: {date} - {date}.
        Previous balance {money}. Payments received {money}. Current charges {money}.
        Log in to your account to view your bill.
        Late payments are subject to a charge of {money}.
        Please include the invoice number with your payment.
        Bank transfer to account {number}."""),
    "receipt": lines("""
        Order number: {number}.
        Shipping address: {number} Main Street.
        Payment method: Visa ending in {number}.
        Estimated delivery: {date}.
        Tax: {money}. Shipping: {money}.
        You can track your package on our site.
        Please keep this for your records.
        We hope to see you again soon.
        Qty 1 x {thing} {money}."""),
    "business": lines("""
        Please let me know if the time works for you.
        The agenda is attached.
        I look forward to your feedback.
        Please confirm your attendance.
        Let me know if you have any questions about the document.
        We need a decision by {day}.
        Copying the finance department."""),
    "personal": lines("""
        Say hi to {relative} from me.
        The weather here is awful.
        Talk to you soon!
        xoxo
        lol
        Can't wait to see you.
        Give the kids a hug."""),
    "marketing": lines("""
        Shop now at our website.
        Offer valid while supplies last.
        Unsubscribe at any time.
        Free shipping on orders over {money}.
        Prices and availability are subject to change.
        View this email in your browser.
        Follow us for more deals."""),
    "support": lines("""
        I am using version {small}.{small} on Windows.
        I already tried to restart it.
        Any help is appreciated.
        The log file is attached.
        Please update the ticket when it is fixed.
        It worked fine yesterday."""),
    "near": lines("""
        I read it in the paper on {day}.
        What do you think?
        See the archive for the rest of the thread.
        On {day} {name} wrote: no idea."""),
    "scam": lines("""
        Click here!
        Act now!
        100% FREE!!!
        No obligation, guaranteed.
        To be removed from our list reply with REMOVE.
        Call now, operators are standing by."""),
}
