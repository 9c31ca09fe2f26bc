"""Word lists behind the recognition of names: common given and family names, and words that are no names.

The lists are small on purpose: they confirm what a cue or the language model suggests, they do not find names alone.
"""

GIVEN_NAMES = frozenset(
    """
    adam adrian agatha aidan alan alastair albert alex alexander alfred alice alicia alison allison alyssa amanda
    amber amelia amy andrea andrew angela angus anita ann anna anne annie anthony antonia archie arthur ashley audrey
    barbara barry beatrice becky ben benjamin bernard beth bethany betty beverley bonnie bradley brandon brenda brian
    bridget bruce bryan caitlin callum cameron carl carol caroline carolyn catherine cathy charles charlie chelsea
    cheryl chloe chris christian christina christine christopher claire clara clare claudia colin connor craig cynthia
    daisy damian dan daniel danielle darren dave david dawn deborah debbie debra declan denise dennis derek diana
    diane dominic donald donna dora doris dorothy douglas duncan dylan edith edward edwin eileen elaine eleanor elena
    elijah elizabeth ella ellen ellie elliot elsie emily emma eric erica erin esther ethan eugene eva evan evelyn
    felicity felix fiona frances francesca francis frank fred frederick gabriel gareth gary gavin gemma geoffrey
    george georgina gerald gerard gillian gina glenn gloria gordon graham greg gregory gwen hannah harold harriet
    harry harvey hayley hazel heather helen henry holly howard hugh hugo ian imogen irene isaac isabel isabella isla
    jackie jacob jacqueline jade jake james jamie jan jane janet janice jason jean jeff jeffrey jenna jennifer jenny
    jeremy jerry jesse jessica jill jim jimmy joan joanna joanne joe joel john johnny jonathan joseph josephine josh
    joshua joyce judith judy julia julian julie justin karen karl kate katherine kathleen kathryn kathy katie kayla
    keith kelly ken kenneth kerry kevin kieran kim kimberly kirsten kristen kyle larry laura lauren laurence leah
    leanne lee leo leon leonard leslie lewis liam lillian linda lindsay lisa liz lola loretta lorna lorraine louis
    louise luca lucas lucy luke lydia lynn maggie malcolm marcus margaret maria marian marie marilyn marion marjorie
    martha martin martyn mary mason matt matthew maureen max maxine megan melanie melissa michael michelle miguel mike
    mitchell mohammed moira molly monica morgan nadia nancy naomi natalie nathan neil nicholas nick nicola nicole
    nigel nina noah nora norman olive oliver olivia oscar owen pam pamela pat patricia patrick paul paula pauline
    peggy penny peter phil philip phillip phoebe phyllis rachel ralph randy raymond rebecca reginald rhys richard
    ricky rita robert roberta robin roger roland ronald rory rosemary rosie ross roy russell ruth ryan sally sam
    samantha samuel sandra sara sarah scott sean sebastian shannon sharon shaun shawn sheila shelley shirley simon
    sophia sophie spencer stacey stanley stella stephanie stephen steve steven stewart stuart sue susan suzanne sylvia
    tamara tanya tara taylor ted teresa terry theodore theresa thomas tiffany tim timothy tina toby todd tom tommy
    tony tracey tracy trevor valerie vanessa vera verity vernon veronica vicky vincent virginia vivian walter wanda
    warren wayne wendy wesley william yvonne zachary zoe achim alexandra alina andreas andre angelika anja anke
    annegret annette anton antje armin astrid axel bärbel beate benedikt bernd bernhard bettina birgit birte björn
    brigitte britta carina carsten cathrin christa christel christoph christiane claus cornelia dagmar detlef dieter
    dietmar dirk doreen dorothea eberhard eckhard elfriede elisabeth elke emil erich erika ernst erwin eva-maria ewald
    fabian ferdinand florian franz franziska frauke frieda friedrich fritz gabi gabriele georg gerda gerhard gerlinde
    gertrud gisela greta gudrun günter günther gunter hanna hannelore hans harald hartmut hedwig heide heike heiko
    heiner heinrich heinz helga helmut herbert hermann hildegard holger horst hubert ilona ilse ingeborg ingo ingrid
    irmgard jakob jana jens joachim jochen johann johanna johannes jonas jörg josef jürgen jutta kai karin karl-heinz
    karla karolin karsten katharina kathrin katja katrin kerstin klaus konrad kristin kurt lars lea lena leonie
    lieselotte lina lisbeth lothar ludwig luise lukas lutz luzia manfred manuela marco marcel margarete margit
    marianne mario markus marlies marta mathias matthias maximilian meike michaela mirko monika moritz nadine niklas
    nils norbert olaf otto peggy petra philipp rainer ralf raimund reinhard reiner renate rita rolf rosemarie rudi
    rudolf rüdiger sabine sandra sascha saskia siegfried sigrid silke silvia simone sonja stefan stefanie steffen
    susanne svenja swen tanja theo thorsten tilman tobias torsten udo ulf ulla ulrich ulrike ursula ute uwe verena
    volker waltraud werner wilfried wilhelm willi wolfgang yannick adèle adrien agathe agnès aimé aimée alain
    alexandre alexis aline amandine amélie anaïs anatole andré andrée anouk antoine antoinette arnaud astrid aude
    augustin aurélie aurore baptiste bastien benoît benoit bérénice bernadette bertrand camille capucine cécile cédric
    céline chantal charlène charlotte christelle christophe claude clémence clément colette corinne cyril damien david
    delphine denis denise didier dominique édith édouard éléonore élisabeth élise éloïse émile émilie emmanuel
    emmanuelle éric étienne eugénie fabien fabrice fabienne fernand flavie florence françois françoise frédéric
    frédérique gabrielle gaëlle gaspard gaston geneviève georges gérard germaine ghislaine gilbert gilles grégoire
    guillaume gustave guy hélène henri henriette hervé honoré hortense hubert huguette hugues inès isabelle jacqueline
    jacques jean-pierre jean-luc jeanne jeannine jérôme jocelyne joël joseph josette jules juliette julien justine
    laetitia laure laurence laurent léa léon léonie lionel loïc louis luc lucie lucien ludovic madeleine manon marc
    marcel marcelle margaux margot marguerite marianne marine marius marthe martine mathieu mathilde matthieu maurice
    maxime mélanie michel michèle mireille monique muriel nathalie nicolas noël noémie océane odette odile olivier
    pascal pascale patrice paulette philippe pierre quentin raoul raphaël raymonde régine rémi rémy renaud rené renée
    robert roland romain roselyne sabrina sébastien serge séverine simone solange stéphane stéphanie suzanne sylvain
    sylvie théo théodore théophile thérèse thibault thibaut thierry timothée tristan valentin valentine valérie
    véronique véronique victoire vincent virginie vivienne xavier yann yves yvette zacharie zoé adela adolfo adrián
    aitor alba alberto albino alejandra alejandro alfonso alfredo alonso álvaro amparo ana anabel anacleto ángel
    ángela ángeles aníbal antonio araceli ariadna armando arturo asunción aurelio aurora ainhoa beatriz begoña belén
    benito bernardo blanca borja carlos carmela carmen carmelo catalina cayetano cecilia celia cesar césar chema chus
    clemente concepción consuelo cristian cristina cristóbal daniela darío diego dolores domingo eduardo elías elisa
    eloísa elvira emilio encarnación enrique ernesto esperanza esteban estefanía eugenia eugenio eusebio ezequiel
    fabiola felipa felipe fermín fernanda fernando fidel flora francisca francisco fulgencio gema germán gonzalo
    graciela gregorio guillermo héctor herminia hernán hilda ignacio iker inés inmaculada irma isabel ismael iván
    jacinto jaime javier jesús jimena joaquín jordi jorge josé josefa josefina josep josu juan juana juanita julián
    julio laia leandro leonor leticia lidia lorena lorenzo lourdes lucía luis luisa lupe macarena magdalena manola
    manolo manuel manuela maría mariano maribel maricarmen marina mariana marisol mateo matilde mauricio maximino
    mercedes miriam modesto montserrat natalia nazaret nerea nicolás nieves nilda noelia nuria octavio ofelia olga
    óscar pablo paco paloma paulina pedro pepe pilar pío ramiro ramón raquel raúl regina remedios ricardo roberto
    rocío rodolfo rodrigo rogelio román rosa rosalía rosalinda rosario rubén rufino salvador samuel sancho sandra
    santiago saturnina sergio silvia soledad sonia susana tania teodoro teófilo teresa tomás toni trini valentina
    vicenta vicente víctor visitación violeta ximena yolanda alessandra alessandro alessia alessio ambra angelo
    antonella arianna arnaldo beppe bianca bruno calogero camilla carla carlo caterina cettina chiara cinzia claudio
    corrado costanza cristiano daniele dario davide debora donatella donato edoardo elena eleonora eliana elio
    emanuela emanuele enrico enzo ettore fabio fabiola fabrizio federica federico filippo flavia flavio franca
    francesco franco gabriella gaetano gennaro giacomo giada gianluca gianni gino gioia giorgia giorgio giovanna
    giovanni girolamo giulia giuliana giuliano giulio giuseppe giuseppina graziella gualtiero guglielmo guido ilaria
    irene isabella ivana ivo laura lara letizia licia liliana livia lorenzo loredana luca luciana luciano lucio luigi
    luisa marcella marcello margherita mariella marina marisa martina massimiliano massimo matteo mattia maura
    maurizio melissa michele michela milena mirella mirko nazario nicoletta nicolò ornella ottavio paola paolo
    patrizia pierluigi piero pietro pina raffaele raffaella renata renato riccardo rinaldo roberta rocco romeo romolo
    rosanna rossana rossella salvatore sandro serena silvano silvio simona stefania stefano susanna tiziana tiziano
    tommaso ubaldo ugo umberto valentina valeria valerio vincenza vincenzo virgilio vito vittoria vittorio aart
    adriaan anneke annelies anouk arjan arie bart bas bastiaan bert bram carolien coen cor cornelis daan dennis
    diederik dirk elsbeth erik esmee evert femke fleur floor floris frits geert geertruida gerrit gijs guus hanneke
    hans harm heleen hendrik henk herman hidde ilse ineke jaap jacob jan jasper jelle jeroen jesper job johan jolanda
    joost joris jos joke karel kees klaas koen laurens leendert lieke lotte luuk maarten maaike machteld marieke
    marijke mark marloes martijn matthijs mees merel michiel mieke milou nienke niels noor nynke paul piet pieter pim
    pleun quinten reinier remco renske rik rob roel roos ruben rutger ruud sander sanne sem sjoerd sophie stefan
    sterre sven teun thijs thomas tijmen tim tineke tom truus wendela wessel wieke willem wilhelmina willemine wim
    wouter yvonne adrianna agata agnieszka albert aleksander aleksandra alicja andrzej aneta aniela antoni arkadiusz
    artur barbara bartosz bartłomiej beata bogdan bogumiła bogusław bolesław bożena błażej cezary czesław damian
    danuta dariusz dawid dominik dorota edyta elżbieta emilia ewa ewelina filip franciszek gabriela genowefa grażyna
    grzegorz halina hanna helena henryk hubert ignacy igor irena iwona izabela jacek jadwiga jakub janina janusz
    jarosław jerzy joanna jolanta józef julianna kacper kamil karol karolina katarzyna kazimierz kinga konrad krystian
    krystyna krzysztof leszek lidia lech lucyna maciej magdalena maja maksymilian małgorzata marcin marek mariola
    mariusz marzena mateusz michał mieczysław mikołaj mirosław natalia oliwia patrycja paulina paweł piotr przemysław
    radosław rafał renata robert roman ryszard sebastian sławomir stanisław stefania sylwia szymon tadeusz teresa
    tomasz urszula wacław waldemar wanda wiesław wiktor wiktoria witold władysław włodzimierz wojciech zbigniew
    zdzisław zofia zuzanna zygmunt łukasz aarav aashi abdul abhishek aditi aditya ahmed aisha ajay akash akshay ali
    amar amit amina amir amita amrita ananya anika anil anish anjali ankit anuj aparna arif arjun arnav arun asha
    ashok ashwin ayesha bhavna bilal chandra deepa deepak dev devika dilip divya farah fatima faisal gaurav gita gopal
    hamza harish harsh hassan ibrahim imran indira ishaan isha jagdish jasmin jaya jayesh kabir kamala karan karthik
    kavita khalid kiran kishore krishna kunal lakshmi lalita leila madhav mahesh mahmoud manish manoj maryam meena
    meera mehmet mohamed mohammad mohan mohit mona mukesh mustafa nandini narendra naveen neeraj neha nikhil nisha
    nitin omar padma pallavi pankaj parvati pooja prakash pranav prasad pratik praveen preeti priya priyanka rahul raj
    raja rajat rajesh rajiv rakesh ram ramesh rana rani ranjit rashid ravi reena rekha rishi ritu rohan rohini rohit
    sachin sadia sakshi samir sandeep sangeeta sanjay sanjana santosh sapna sarita satish shanti shashi shilpa shivani
    shreya shweta siddharth simran sita sneha sonali sourav sridhar subhash sudha suman sumit sunil sunita suresh
    sushma swati tanvi tariq tejas uma usha vandana varun vasant veena vidya vijay vikas vikram vimal vinay vinod
    vishal vivek yash yasmin yusuf zainab zara agnes amalia anders anette annika arne asbjørn åsa astri ayşe berit
    bengt birgitta bjarne bo camilla dag eija einar eino elin ellen emre erkki eskil fatma frida fredrik gunnar
    gunilla gustav hakan halvor hanne håkon helle henrik henning hüseyin inga inger ingvar jari jarle jens jesper
    jorunn jukka juha kaisa kari karina katrine kerttu kirsi kirsten kjell knut lasse leif liisa linnea liv magnus
    maja marit marja markku matti merete mette mika mikael mikko minna murat niklas nils nina ola olav ove øyvind
    pekka per petter pirjo pål ragnhild rasmus riitta rune sakari sari seija signe sigurd sindre siri solveig søren
    stein sten stig svein sverre tapio tarja terje thea timo torbjørn tore trond tuula tuomas ulla veikko vesa ville
    vidar aleksandr aleksei alexei anastasia andrei anatoly arkady boris daria denis dmitri dmitry ekaterina elena
    evgeny fyodor galina gennady grigory igor irina ivan katya kirill konstantin ksenia larisa leonid lyudmila maksim
    marina mikhail nadezhda natalya natasha nikita nikolai oksana oleg olga pavel polina roman ruslan sergei sergey
    sofia stanislav svetlana tatiana tatyana vadim valentina vasily vera viktor viktoria vladimir vyacheslav yelena
    yevgeny yulia yuri zoya bohdan oksana taras milan dragan goran ivana jelena jovana marko mirjana nemanja nenad
    nikola petar slobodan tomislav vesna zoran attila balázs bence csaba ferenc gábor gergő györgy ildikó imre istván
    jános józsef judit katalin lajos lászló mihály miklós réka sándor szabolcs tamás tibor zoltán zsófia zsuzsanna
    bohumil jiří jitka josef lenka ladislav lucie ludmila marek markéta miroslav ondřej petr pavla radek stanislava
    tomáš václav vojtěch zdeněk afonso antónio beatriz caio conceição fábio fernanda gonçalo inês joão joaquim josé
    jéssica letícia luís luiz marcelo mário mariana matheus miguel nuno patrícia paulo raquel rui sérgio sónia thiago
    vasco vítor vinícius chen haruto hiroshi hiroki jing keiko kenji li linh ming mei minh nguyen sakura satoshi
    takashi tomoko wei xiao yang yuki yoko zhang aaliyah aiden alejandra alfie aliyah anya arlo ava beckett brayden
    brianna brittany caleb carter chad clifford colleen corey courtney darlene darryl deanna dustin dwayne earl eliza
    emmett ernest everett gertrude gladys gretchen guadalupe heidi herbert holden irma ivan jackson jamal jared
    jasmine jayden jermaine jodi jody joleen jonah jordyn julio kaitlyn kara kathryn kelsey kendra kenya kristina
    kristine kristy lamar latasha latoya lamont lester lonnie lucille mabel mackenzie makayla mandy marlene marvin
    melody melvin meredith mildred mindy misty mitch monique myrtle natasha norma olga preston priscilla rachael
    ramona regina rhonda roderick rodney roxanne sabrina savannah seth shane shelby sherri sherry stacy tabitha tamika
    tammy tasha terrence tracie tricia troy tyler tyrone velma vickie wallace wilma yesenia madison harper kaylee
    aubrey addison hailey skylar landon wyatt jaxon nora mila eliana delilah ezra silas ezekiel malik darius tyrese
    deshawn lakisha keisha imani zahra layla leyla yara youssef yusuf karim rachid samira salma khadija mariam mehdi
    nabil rania dalia hala huda jamila kamal khaled laila latifa majid malika mansour mounir nasser noura omran osama
    rami rashida reza sahar said salim sana shirin soraya tarek waleed yasmine youssra zaid ziad amara chiamaka
    chinedu emeka ifeoma kelechi nkechi obinna olumide oluwaseun tunde yinka folake adaeze babajide funmi kwame ama
    kofi abena akosua sipho nomsa thabo lerato zanele bongani tendai farai rutendo wanjiru njeri kamau otieno achieng
    mwangi aylin cem deniz derya elif emine fatih gizem hakan ibrahim ismail kemal leyla mehmet merve oğuz özlem pınar
    selin serkan sibel tolga yasemin yilmaz anastasios dimitris eleni giannis giorgos katerina kostas nikos panagiotis
    sofia stavros vasilis yannis aigerim alisher azamat dinara nursultan timur ainur bolat olzhas anush armen aram
    gayane hayk nino tamar zurab levan ketevan dmytro iryna kateryna mykola natalia oleksandr olena oleksii serhii
    svitlana tetiana volodymyr yulia bogdana desislava georgi ivanka plamen stoyan todor ana-maria andreea bogdan
    cristina dragos gabriela ionut ioana mihai radu roxana stefan teodora vlad aino aleksi hanna juho jussi kaarina
    matti mikko niko pauliina petteri sanna satu teemu aoife brendan ciara cian conor deirdre eoin fionn grainne maeve
    niamh oisin orla padraig roisin sinead siobhan siobhán angharad dafydd eleri emrys gwyneth iestyn llinos megan
    rhian rhodri sioned callum catriona ewan fraser hamish iain morag mhairi alistair tamsin imogen aiko akira daichi
    emi hana haruka hinata kaito kaori kazuki mai makoto mariko masato mayumi megumi miyuki naoki natsumi ren rin
    ryota shota sora takumi yui yuka yuto bao chau dung hien hoa hung khanh lan linh minh ngoc phuong quan quynh thanh
    thao thu trang tuan viet hyun jiho jimin jiwoo minjun seoyeon sooyeon yejin youngho xin ying hui jun lei ting xia
    yan zhen
    """.split()
)

AMBIGUOUS_GIVEN_NAMES = frozenset(
    """
    daisy rosemary basil holly heather hazel jasmine said hung dung ren lan can ling trang thu sora misty harper
    taylor madison april art austin bill bob brook chase
    chip chuck clay cliff dale dean dick dolly drew faith florence ford frank gene georgia glen grace grant hope
    hunter iris ivy jack jasper jewel jordan josh joy june lance lily logan mark may melody mercedes merry miles nick
    norma olive page paige paris pat patience pearl penny pierce ray reed rich rob rod rose ruby rusty sandy sky skip
    sue summer sydney trinity van victor victoria violet will wade
    """.split()
)
"""Given names that are also ordinary words or places: names only after a cue or beside another name."""

ALSO_WORDS = frozenset(
    """
    albino alba amber aurora bonnie carol chad chen christian colleen dag daisy dawn domingo earl felicity flora floor
    franco guy harm harry harsh hazel heather holly horst jade jasmine jenny job joke ken kenya laurens lea lech lee
    lotte marine mason max milan mona montserrat myrtle ola pascal peter pilar raj raja ram rana randy rani robin
    roman romeo rosa rosario rosemary rune sally salvador sander santiago sari savannah sherry sofia soledad spencer
    stein stella tara tiffany toby tore troy tyler valentine verity vidar virginia warren wei yang uma ute fleur merel
    sterre roos pleun noor victoire aimé aimée honoré prudence constance clemente modesto serena gioia chiara bianca
    vera viola luce nieves remedios dolores consuelo encarnación asunción concepción visitación inmaculada amparo
    esperanza paloma rocío gema lourdes mercedes ángel ángeles jesús blanca leone libero rosalinda patience angel
    angela liv siri kari terje cara jackson carter lester marvin preston jordan logan maya sierra dakota devin shelby
    mercy bruno leon mario regina helga said mai ren sora hung dung thu lan lei misty donna dirk evert bart ting sana
    elif deniz amara hana ama chau jun yan quan trang ling bao hui xin ying rin emi kamal delilah tamar nino aram can
    cem mina nora lala ravi deepa sakura tina vita marta anke kai jana enzo carla diana dante olympia andrea alexa
    ella wanda anita
    """.split()
)
"""Given names that are words, places or wares in a language of chats: in small letters they need a cue."""

FAMILY_NAMES = frozenset(
    """
    adams ahmed alexander allen anderson andrews armstrong arnold atkinson bailey baker ball banks barker barnes
    barrett bates becker begum bell bennett berry black boyd bradley brooks brown bryant burke burns burton butler
    byrne campbell carpenter carr carroll carter chapman clark clarke cohen cole coleman collins connolly cook cooper
    cox craig crawford cruz cunningham curtis daly daniels davidson davies davis dawson dixon doherty doyle duffy
    duncan dunn edwards elliott ellis evans farrell ferguson fisher fitzgerald fleming fletcher flynn ford foster fox
    francis fraser freeman gallagher gardner gibson gill gilbert gonzales gordon graham grant gray green greene
    griffin griffiths hall hamilton hansen harper harris harrison hart harvey hayes henderson henry hicks hill holland
    holmes howard hudson hughes hunt hunter hussain hutchinson jackson james jenkins jensen johnson johnston jones
    jordan kaur kelly kennedy khan king knight lambert lane larsen lawrence lawson lee lewis lloyd long lopez lynch
    macdonald marsh marshall martin martinez mason matthews mccarthy mcdonald mckenzie mclean miller mills mitchell
    moore morgan morris morrison murphy murray myers nelson newman nguyen nichols nolan nowak obrien oconnor oneill
    owens palmer park parker parsons patel patterson payne pearson perkins perry peters peterson phillips porter
    powell power price quinn ramirez reed reid reilly reynolds rice richards richardson riley rivera roberts robertson
    robinson rodriguez rogers rose ross russell ryan sanchez sanders scott shah sharma shaw simmons simpson singh
    smith snyder spencer stephens stevens stewart stone sullivan sutton taylor thomas thompson thomson torres tucker
    turner walker wallace walsh walters ward warren washington watkins watson watts weaver webb wells west wheeler
    white wilkinson williams williamson willis wilson wood woods wright young bauer baumann beck becker berger
    bergmann böhm brandt braun busch dietrich engel ernst fischer frank friedrich fuchs graf groß günther haas hahn
    hartmann heinrich herrmann hoffmann hofmann horn huber jäger jung kaiser keller klein koch köhler könig krämer
    kraus krause krüger kuhn kühn lang lange lehmann lorenz ludwig maier martin mayer meier meyer möller müller
    neumann otto peters pfeiffer pohl richter roth sauer schäfer schmid schmidt schmitt schmitz schneider scholz
    schreiber schröder schubert schulte schultz schulz schulze schumacher schuster schwarz seidel simon sommer stein
    thomas vogel vogt voigt wagner walter weber weiß werner winkler winter wolf wolff ziegler zimmermann andre arnaud
    barbier benoit bernard bertrand blanc blanchard bonnet boucher boyer brun brunet caron chevalier clement colin
    david denis dubois dufour dumas dumont dupont dupuis durand fabre faure fontaine fournier francois gaillard
    garnier gauthier gautier gerard girard giraud guerin henry hubert joly lacroix lambert laurent leclerc lecomte
    lefebvre lefevre legrand lemaire lemoine leroux leroy lucas marchand marie martel masson mathieu mercier meunier
    meyer michel moreau morel morin moulin muller nicolas noel olivier perrin petit philippe picard pierre renard
    renaud riviere robert robin roche roger rolland rousseau roussel roux roy schmitt simon thomas vaillant vidal
    vincent aguilar alonso álvarez alvarez benítez blanco cabrera calvo campos cano carmona castillo castro cortés
    crespo delgado díaz diez domínguez durán esteban fernández ferrer flores fuentes gallego garcía garcia garrido gil
    giménez gómez gonzález guerrero gutiérrez hernández herrera herrero ibáñez iglesias jiménez leon lorenzo lozano
    marín márquez martín martínez medina méndez molina montero mora morales moreno muñoz navarro nieto núñez ortega
    ortiz parra pascual pastor peña pérez prieto ramírez ramos rey reyes rivas rodríguez romero rubio ruiz sáez
    sánchez santana santiago santos sanz serrano soler soto suárez torres vargas vázquez vega velasco vicente vidal
    amato barbieri basile benedetti bianchi bruno caruso cattaneo colombo conte conti coppola costa damico deangelis
    deluca desantis donati esposito fabbri farina ferrara ferrari ferraro ferri fontana galli gallo gatti gentile
    giordano grassi greco guerra leone lombardi lombardo longo mancini mariani marini marino martinelli martini mazza
    messina monti moretti morelli negri neri orlando palmieri palumbo parisi pellegrini pellegrino piras ricci rinaldi
    riva rizzi rizzo romano rossetti rossi ruggiero russo sala sanna santoro sartori serra silvestri sorrentino testa
    valentini villa vitale vitali bakker bos bosch brouwer dekker dijkstra haan hendriks hoekstra huisman jacobs
    jansen janssen jong koning kok kuipers leeuwen meer meijer mulder peters prins schouten smit smits veen verbeek
    vermeulen visser vliet vos vries willems adamczyk baran borkowski chmielewski czarnecki dąbrowski dudek duda
    górski grabowski jabłoński jankowski kaczmarek kamiński kowalczyk kowalski kozłowski krawczyk król kubiak
    kwiatkowski lewandowski maciejewski majewski malinowski mazur michalak michalski nowak nowakowski nowicki
    olszewski ostrowski pawlak pawłowski piotrowski rutkowski sadowski sikora sikorski szczepański szewczyk szymański
    tomaszewski walczak wieczorek wilk wiśniewski witkowski wojciechowski woźniak wróbel wróblewski wysocki zając
    zakrzewski zalewski zawadzki zieliński agarwal bhatt bose chatterjee chopra chowdhury das desai dutta ghosh gupta
    hegde iyer jain jha joshi kapoor khanna krishnan kulkarni kumar malhotra mehra mehta menon mishra mukherjee nair
    naidu pandey pillai rao reddy roy sethi shetty sinha srinivasan thakur tiwari trivedi varma verma yadav andersen
    berg bergström christensen dahl eriksson gustafsson hagen haugen johansson johansen karlsson korhonen kristiansen
    larsson lindberg lindqvist lund mäkinen nieminen nilsen nilsson olsen olsson pedersen persson petersen rasmussen
    svensson sørensen virtanen almeida barbosa carvalho costa dias ferreira fonseca gomes gonçalves lima lopes martins
    mendes oliveira pereira pinto ribeiro rocha silva soares sousa souza teixeira ivanov ivanova kovács nagy novák
    novotná petrov petrova popov smirnov sokolov svoboda szabó tóth volkov chan chen huang kim liu tanaka sato suzuki
    wang wong yamamoto day bond church savage sharp stark sweet love little major
    """.split()
)

NEVER_NAMES = frozenset(
    """
    a able about above according br kr account accounts actually address adresse after again agent ago alexa all almost
    alone already also although always am amazon an and android any anybody anyone anything app apparently apple apps
    are around as ask asked at atm august aunt authentication back bank because been before being below besides best
    better between bei beide beim bien big billing bitte black bluetooth bonjour bonsoir both box brand but buenas
    buenos but buy by call can cancel cannot card care cash chat check checking checkout christmas ciao city click
    code colleague colleagues come coming company complaint confirm confirmed contact cordialement could country
    credit currently customer customers das day days dear december deliver delivered delivery department der desk
    despite did die do does doing don done dont dpd dhl during each easter ebay either electronics email english error
    est euro euros even ever every everybody everyone everything expires facebook family february fedex few final
    finally first folks following for forgot found free french friday friend friends from full further german get
    getting go going good google got greetings grüße groeten gls grazie guten guys had hallo happy has hat have having
    he hello help helpline her here hey hi him his hola home hope hotline how however i iban ich ihr if il im in
    incorrect indeed information inside instagram instead insurance internet into invoice ios iphone is issue issues
    ist it items its italian january je july june just kein kind kindly klarna know la ladies last lastly later le les
    let like line linkedin lo login look los lot love ma madam made mail make manager many march mastercard matter
    maybe me mein meine merci messages microsoft mine miss mobile mon monday month months more moreover morning most
    mr mrs ms much must my name need neither never new next nice night no nobody none nor not note nothing november
    now number october of off offer office often oh ok okay old on once one online only operator or order orders
    original other otherwise our out outlook outside over own package page paid parcel parents password pay paying
    payment payments paypal pdf per perfect perhaps phone pin please plus pls por postcode postnl premium price prime
    pro problem product products provider purchase question questions quick quite rather ready really received
    recently refund refunds regarding regards reply representative resolved return returned returns review right royal
    sadly said salut same saturday saying see seems send sent september service services several shall she ship
    shipping shop should showing signature similarly simply since sincerely sir sirs siri skype so sofort some
    somebody someone something sometimes somewhere soon sorry spanish specialist spotify staff start starting status
    still stop store street subject such suddenly sunday supervisor support sure system take talk team technical
    technician tell terms than thank thanks that the their them then there therefore these they thing things think
    this those though through thursday thus till time title to today together tomorrow too total track tracking
    transfer try trying tuesday twitter two uk un und under unfortunately until up update upon ups us usa usb use used
    user username using usps usually via visa voucher wait waiting want wanted warranty was website wednesday week
    weekend weeks welcome well were what whatever whatsapp when where whereas whether which while who whoever whole
    whom whose why wifi wi-fi windows wish with within without won worked working works worse would wrong xbox year
    years yes yesterday yet yodel you your yours yourself youtube accepted access activate activated activation adding
    administrator advisor airport amount answer application apply appointment approval approved april arrival
    assistance assistant attached attention authorities automatic available balance bonus booking bot branch browser
    business busy button cable camera cancellation cancelled casa center central centre certificate change changed
    changes channel chrome claim class client closed cloud club community complete computer concern connected
    connection consumer contract control cookies copy corporation council coupon court courier crew data date deal
    dealer debit default details device digital director discount dispatch document documents driver driving edge
    emergency engineer entire event exchange expert export express extra feedback finance firefox firmware fitness
    folder foreign form forum galaxy games gas gateway general gift gold government guarantee guard guest headquarters
    health helpdesk history holiday hospital host hotel house id identity import included inc individual installation
    instructions international inquiry item job kids kindle kitchen laptop lead legal letter library licence license
    limited linux list live loan local location logistics loyalty ltd mac machine macbook mailbox maintenance
    management map market marketing media medium member membership menu merchant message messenger meter model money
    monitor movie museum music national netflix network news newsletter nintendo notice notification nurse offers
    official older open option options organisation outlet owner packaging paper partner passport person personal
    photo picture plan plans platform playstation point policy portal post power prepaid pricing printer priority
    privacy process professional profile program project promo promotion property public quality quote rate receipt
    reception recipient record reference register registration remote rental replacement report request reservation
    resident residents resource restaurant result reward rewards room router safari sale sales samsung savings scheme
    school screen search season seat second section security seller serial server session set settings shipment silver
    size smart social society software sony special spring standard state statement station stock stream student
    studio subscription summer supplier switch tablet tax taxi teacher teams telephone television tenant terminal test
    text thermostat ticket tickets tier toll topic tour town trade train training transaction travel trial trip
    trustpilot tv type uber unit united university upgrade url vacation valid value vat vehicle vendor version video
    viewer vip virtual warehouse watch water web winter wire wireless workshop world zip zone zoom aber alles alors
    als am auch auf aus avec avez avons bestellung bis bitte bonne cette chère chat commande con comment cuando danke
    dann dans dass de del den denn des dies diese doch dort du ein eine einen el elle en entonces er es esta este et
    frau für gracias guten haben habe heute hier herr hoe hola il ik in infos ja je jetzt jour kann kein keine könnte
    können kundendienst kundenservice kunde leider les lieferung ma mais me mes mi mijn mit monsieur madame mes nach
    nein nicht noch non notre nous nur oder ou où paket par para pas pero pode porque pour pourquoi prego qu quand que
    quel quelle qui rechnung saludos scusi se sehr sehr si sie sind señor señora signora signore soy sono sont sur tag
    tengo tous très un una und unser uns uno usted van vielen vom von vor votre vous wann war waren warum was wat weil
    wenn wer werden wie wir wird wo wurde zeit zijn zum zur action apr aug dec feb jan jul jun mar nov oct sept sep
    mon tue wed thu fri sat sun lundi mardi mercredi jeudi vendredi samedi dimanche montag dienstag mittwoch
    donnerstag freitag samstag sonntag lunes martes miércoles jueves viernes sábado domingo lunedì martedì mercoledì
    giovedì venerdì sabato domenica januar februar märz mai juni juli oktober dezember janvier février mars avril juin
    juillet août septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre
    octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre africa america
    american amsterdam asia athens australia austria barcelona belgium berlin birmingham brazil bristol british
    brussels california canada chicago china cologne copenhagen denmark dublin dutch edinburgh england europe european
    finland florida france frankfurt germany glasgow greece hamburg india indian ireland italy japan japanese leeds
    lisbon liverpool london luxembourg madrid manchester mexico milan munich netherlands norway oslo paris poland
    portugal prague rome rotterdam russia scotland spain sweden switzerland texas turkey ukraine utrecht vienna wales
    warsaw washington york zurich nachbar nachbarin nachbarn kollege kollegin kollegen freundin freund tochter sohn
    mutter vater bruder schwester ehemann ehefrau chef chefin fahrer fahrerin bote techniker zusteller lampe lampen
    leuchte stuhl sessel tisch bett teppich regal wochenende grüße abend woche voisin voisine collègue mari femme
    lampes chaise canapé journée soirée vecino vecina lámpara silla mesa semana vicino vicina sedia divano buurman
    buurvrouw stoel weekend lamp lamps sofa chair table desk bed rug shelf mirror router printer speaker headphones
    bike stroller producer singer author
    """.split()
)
"""Lower-case words that no name consists of: function words, greetings, roles, wares, months, brands, places."""

MYTHS = frozenset(
    """
    achilles adonis ajax amor aphrodite apollo ares ariadne artemis athena athene atlas aurora bacchus calypso castor
    ceres cronos cupid demeter diana dionysos electra eos eris eros fortuna freya freyja gaia hades hector helios hera
    heracles hercules hermes icarus iris isis janus juno jupiter leto loki luna mars medusa mercury minerva morpheus
    neptune nike nova odin orion orpheus osiris pandora pegasus perseus phoenix pluto pollux poseidon prometheus
    psyche ra rhea saturn selene siren sirius stella terra thor titan triton ulysses uranus venus vesta victoria
    vulcan zephyr zeus
    """.split()
)
"""Lower-case gods, heroes and stars that wares are called after: alone, in the middle of a text, nobody's name."""

MAKERS = frozenset(
    phrase.strip()
    for phrase in """
    alexander mcqueen, alfa giulia, alfa giulietta, alfa romeo, alvar aalto, arne jacobsen, aston martin, aunt bessie,
    ben & jerry's, ben sherman, betty crocker, bobbi brown, calvin klein, carolina herrera, charles & keith,
    charles de gaulle, charles tyrwhitt, christian dior, christian louboutin, coco chanel, cole haan, dolce & gabbana,
    dorothy perkins, dr hauschka, dr martens, dr oetker, dr pepper, dr. hauschka, dr. martens, dr. oetker, eddie bauer,
    elizabeth arden, ermenegildo zegna, ernst & young, estee lauder, estée lauder, fred perry, georg jensen,
    georges rech, gerry weber, giorgio armani, harley davidson, harley-davidson, harry potter, helena rubinstein,
    helly hansen, hugo boss, jack & jones, jack daniel's, jack wills, jack wolfskin, jean paul gaultier, jil sander,
    jim beam, jimmy choo, jo malone, john deere, john f kennedy airport, john f. kennedy airport, john hancock,
    john lewis, john wayne airport, johnnie walker, johnson & johnson, juicy couture, karl lagerfeld, karen millen,
    kate spade, kenneth cole, kiehl's, lancia ypsilon, laura ashley, laura biagiotti, leonardo da vinci airport,
    levi strauss, levi's, loro piana, louis vuitton, madame tussauds, marc jacobs, marc o'polo, marie claire,
    marks & spencer, marks and spencer, martin luther king day, mary kay, max mara, michael kors, miss sixty,
    moss bros, nina ricci, oscar de la renta, paco rabanne, pat mcgrath, paul smith, philip morris, philipp plein,
    ralph lauren, robin hood, rolls royce, rolls-royce, royal bank, russell & bromley, russell hobbs, sainsbury's,
    salvatore ferragamo, samuel adams, sara lee, sherwin-williams, sherwin williams, stella artois, stella mccartney,
    steve madden, stradivarius, ted baker, thomas cook, tom ford, tom tailor, tommy hilfiger, tory burch, trader joe's,
    uncle ben's, valentine's day, vera wang, vespa primavera, victoria beckham, victoria's secret, vivienne westwood,
    wendy's, wilkinson sword, worcester bosch, yves rocher, yves saint laurent, zadig & voltaire
    """.replace("\n", " ").split(",")
)
"""Makers, wares, days and airports that are called as people are: somebody's name is another word longer."""
BRANDS = frozenset(
    """
    adidas aldi alibaba aliexpress allianz amd android anker apple asus audi aws axa bahn barclays belkin bmw bosch
    bose braun canon carrefour citroen costco decathlon deezer dell deliveroo deutsche disney dropbox dyson ebay
    electrolux epson etsy evri fedex fiat fitbit fritz fritzbox garmin glovo gmail gopro hermes honda hotmail hsbc
    huawei hue hulu hyundai icloud ikea intel jabra jbl kia klarna kobo lego lenovo lg lidl lloyds logitech lyft
    maersk mastercard matter mazda medion miele monzo motorola nespresso nissan nokia nvidia opel oneplus osram
    outlook panasonic paypal peugeot philips pinterest playstation porsche postnl prusa qualcomm razer reddit renault
    revolut roku roomba ryanair safari santander sennheiser sharp shein shopify siemens signal skoda snapchat sonos
    sony spotify stripe subaru tado temu tesco tesla thalia thread threads tiktok tomtom toyota trustpilot tplink uber
    ubuntu ups vodafone volkswagen volvo vw waze wechat whatsapp wise xiaomi yale yamaha yodel zalando zara zigbee
    """.split()
)
"""Lower-case makers, shops and carriers that chats speak of: no names where only their form says so."""

PLACES = frozenset(
    """
    africa america amsterdam asia athens australia austria barcelona belgium berlin birmingham brazil bristol brussels
    california canada chicago china cologne copenhagen denmark dublin edinburgh england europe finland florida france
    frankfurt germany glasgow greece hamburg india ireland italy japan leeds lisbon liverpool london luxembourg madrid
    manchester mexico milan munich netherlands norway oslo paris poland portugal prague rome rotterdam russia scotland
    spain sweden switzerland texas turkey ukraine utrecht vienna wales warsaw washington york zurich adelaide albany
    alexandria alexandra aurora austin beverly boston bradford brittany burgos caracas carolina charleston charlotte
    chelsea chester clifton cordoba cork dakota dallas denver derby devon durham eugene exeter florence georgia geneva
    genoa graz hampton havana helena houston israel jackson jordan kent kenya kyoto lancaster lansing leon lille lima
    lincoln lourdes lyon madison malta marseille melbourne mercedes milan montana naples nice nancy newport norfolk
    orlando oxford paris perth petersburg phoenix porto preston quebec raleigh regina richmond riga salem salvador
    santiago savannah selma sienna siena sofia sydney tours trinidad troy valencia verona victoria virginia warwick
    wellington windsor worcester zaragoza
    """.split()
)
"""Lower-case places, those among them that people are called after too."""

SAINTS = frozenset("san santa santo st saint sainte sankt são sao sint sant fort port lake mount cape los las".split())
"""What stands before a name in the name of a place."""

COMMON_WORDS = (
    NEVER_NAMES
    | (BRANDS - FAMILY_NAMES - GIVEN_NAMES)
    | frozenset(
        """
    abroad absolutely abusive accidentally across active afraid against ahead allowed amazed angry annoyed annoying
    another anxious anymore appalled apparent asking aware away awful bad based beyond bill blocked bored bothered
    broken brother buying calling careful charged cheap cheated clear clearly close closing cold completely concerned
    confused constantly correct curious daughter dad deaf deeply desperate devastated different difficult dirty
    disappointed disappointing disabled disgusted dissatisfied done double down due early easy else empty enough
    entirely entitled essential exactly excited expecting experiencing expired extremely faulty fed feeling filling
    fine fixed flying forced former forward frustrated frustrating fully fuming funny furious glad gone great guilty
    half hard hardly hearing here's hitting hopeful hoping horrible hot huge hungry husband ill impressed inactive
    inclined incredibly inquiring interested invalid joking keen keeping kicked lazy leaving less listed literally
    little living lock locked logged long looking losing lost low lucky mad main married messed minute missing mistake
    mistaken moment mother mum moving nearly nervous newly non nonsense normally numb obviously old opening
    overcharged overdue owed panicking part past patient paying permanently picking pissed planning pleased possible
    pregnant pretty previous probably prompted puzzled ran regular registered related reluctant renting requesting
    retired ridiculous robbed rude running sad satisfied scared seeing seeking seeing seriously several short shocked
    shopping sick single sitting slightly slow small son speaking spending standing started stranded stressed
    struggling stuck stupid super surprised suspicious terrible terribly thinking thrilled tired totally traveling
    travelling treated truly trapped typing ultra unable unaware uncertain unclear under unemployed unhappy unlocked
    unsatisfied unsure unwell upset urgent urgently useless very victim visiting watching weird wife willing wondering
    worried writing absolute actual bit joke disgrace shame nightmare disaster scam fraud theft outrage outrageous
    unacceptable unbelievable urgent bug fault rubbish crap crazy insane like'd regarding concerning re my last-minute
    day your mine ours theirs ending near far high higher lower afternoon evening newcomer beginner student pensioner
    developer owner buyer customer's someone's everybody's trouble difficulty having using getting wanting needing
    going doing making trying sending receiving finding reading writing working sure that's what's it's i've i'll i'd
    can't don't doesn't won't isn't wasn't aren't didn't haven't hasn't couldn't wouldn't shouldn't there's let's
    who's they're we're you're he's she's be add added arrive arrived begin believe bought bring broke brought came
    cant checked chose chosen click closes cost costs create created damage damaged deleted download downloaded edit
    ended enter entered explain failed fails fall feel fell fill find fit fix follow forget gave give given gives goes
    happen happened happens hear held hold increase install installed invite invoice join keep keeps kept knew known
    lag lately leave left lend live lived load loads logging looks lose mean means meant meet mention mine misspelled
    misspelt moved needs notice opened ordered own owns pick play press print promised provide provided pull push put
    reach read refuse refused register reject rejected remain remember remove removed rent replace replaced reset
    resend restart run says seem seen selected sell sells sets share shipped show shown shows sign signed sit sold
    solve solved speak spelled spelt spend spent spoke stands stay stays stolen suppose supposed suspended tells
    thinks thought tried turn turned understand unlock updated upgraded want wants went wont wrote yours cosa cómo
    como quiero necesito puedo muy mucho bueno buena cliente triste enfadado enfadada interesado interesada contento
    contenta wütend traurig enttäuscht unzufrieden sauer müde krank neu kunde kundin zufrieden desolé désolé désolée
    déçu déçue fâché furieux client cliente nouveau nouvelle content contente ravi inquiet arrabbiato arrabbiata
    deluso delusa preoccupato preoccupata nuovo nuova contento boos teleurgesteld klant nieuw tevreden klientem
    klientką myself yourself himself herself itself ourselves themselves btw lol omg asap thx ty tysm pls plz idk imo
    imho fyi tbh brb cu ur thru tho cuz coz bcs gonna wanna gotta kinda dunno lemme gimme yep yup nope nah hmm hm uh
    um haha hehe lmao smh ttyl jk np yw rn atm dm pm bc w/ w/o aint isnt wasnt arent werent hasnt havent hadnt didnt
    doesnt couldnt wouldnt shouldnt cant thats whats heres theres hes shes theyre youre ive youve weve theyve ill
    youll theyll id youd wed im sb sth gr lg vg mfg mgf stp svp mdr ptdr jpp slt bjr cdt xq tb tmb porfa grax ok okey
    okay alr alright sup yo yea hiya heya mhm aha ah oh hola ciao towards toward onto amid amongst whilst unto versus
    kinda gonna wanna gotta doin goin ya bus tries damen herren didn doesn isn wasn aren weren hasn haven hadn
    wouldn couldn br kr bgds shouldn ain c'mon hmm hmmm whoa timezone
    """.split()
    )
)
"""Words that lower-case text after "i am" and the like is made of; with the endings of adverbs and participles."""

PARTICLES = frozenset(
    "al ap ben bin bint d' da dal dalla das de degli del dell' della den der des di do dos du el ibn la le lo 't ten"
    " ter van vander von vom y zu zum zur".split()
)
"""Lower-case words inside family names."""
