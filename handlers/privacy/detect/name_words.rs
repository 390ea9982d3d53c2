//! Words that are names, and words that are in no name.
//!
//! Given names of many countries that callers give often, so that a name needs less around it; those that are words as
//! well are left out. Words that may follow "my name is" or "this is" in ordinary talk and name nobody. Only data.

/// Given names, in lower case.
pub(super) const GIVEN_NAMES: &str = "\
    grace james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony donald steven paul andrew joshua \
    kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin \
    samuel gregory alexander patrick jack dennis jerry tyler aaron jose adam nathan henry peter zachary kyle noah ethan jeremy mary patricia jennifer \
    linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley kimberly emily donna michelle carol amanda melissa \
    deborah stephanie rebecca laura sharon cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine \
    debra rachel carolyn janet maria catherine heather diane olivia julie joyce victoria ruth virginia lauren kelly christina joan evelyn judith \
    andrea hannah megan cheryl jacqueline martha madison teresa gloria sara janice ann kathryn abigail sophia frances jean alice judy isabella julia \
    denise amber danielle marilyn beverly charlotte natalie theresa diana brittany kayla alexis lori jane lucas liam oliver mohammed muhammad ahmed \
    ali fatima omar hassan priya raj wei yuki chen carlos juan luis miguel pedro sofia elena ivan olga pierre marie hans klaus jan sven lars erik \
    ingrid giulia marco luca paolo anita sanjay amit sunil tom tim ben sam dan joe mike dave steve chris matt nick alex kate jenny beth meg sue tony \
    greg jeff jim bob bill ted fred harry leo max oscar felix victor simon martin philip phil keith craig derek dylan claire clare beatrice nigel \
    douglas stefan pavel svetlana annika keiko amara zainab rosa arjun pauline albert alfred alan allan allen arthur barry bernard bradley bruce \
    bryan calvin cameron carl cecil chad clara clarence clifford clyde colin connor corey cody curtis darren darryl dominic duncan dwayne earl edgar \
    edwin elliot elliott ernest eugene evan francis franklin gavin geoffrey gerald gilbert glenn gordon graham harold harvey herbert herman howard \
    hugh hugo ian isaac jared jeremiah jerome jesse joel julian kurt lawrence leon leonard leroy leslie lewis lloyd logan louis luke malcolm marcus \
    mario marshall marvin maurice melvin micah milton mitchell morris nathaniel neil nelson norman owen ralph raymond reginald ricardo rodney roger \
    roland ross roy rupert russell sebastian seth shane shaun sean sheldon sidney stanley stuart terence terrence terry theodore toby todd travis \
    trevor vernon vincent walter warren wayne wesley xavier adele adriana agnes aisha alicia alison allison amelia anastasia angelica angelina anne \
    annette annie antonia ariana audrey ava becky bella bernadette bertha bethany bianca bonnie bridget camila camille candice carla carmen caroline \
    carrie cassandra cecilia celeste chloe claudia colleen connie courtney cristina daphne debbie delia doris dorothy edith eileen elaine eleanor \
    ella ellen elsie erica erika erin esther eva eve fiona gabriela gabriella gabrielle gail geraldine gertrude gina greta gwen harriet hilary ida \
    imogen ines irene isabel isabelle jackie jana jasmine jeanette jeanne jenna jill jillian joanna joanne jocelyn jodie josephine juanita juliana \
    juliet justine katie katrina kathy kerry kim kirsten kristen kristin kristina lara leah lena lillian lily lindsay lindsey liz lois loretta \
    lorraine louise lucia lucy lydia lynn mabel maggie malia mandy marcia margarita maribel marion marjorie marlene marta mathilda matilda maureen \
    maxine maya melanie meredith mia mildred millie miranda miriam moira molly mona monica muriel myra nadia nadine naomi natasha nina nora norma \
    odette paige patty paula peggy penelope petra phoebe phyllis polly priscilla rachael ramona renee rhonda rita roberta robin rochelle roxanne \
    sabrina sally sasha selena serena sheila shelly sherry silvia sonia stacey stacy sylvia tamara tammy tanya tatiana tess tina tracey tracy trisha \
    ursula valerie vanessa vera veronica vicky vivian wanda wendy whitney yolanda yvette yvonne zoe abdul abdullah ibrahim ismail yusuf youssef \
    khalid mahmoud mustafa karim rashid samir tariq bilal hamza hussein jamal kareem nasser salim aaliyah amina khadija layla leila mariam maryam \
    nadira samira yasmin zahra aditya ajay akash anil anjali anand arun ashok deepak deepika devi dinesh divya gaurav gopal harish indira kavita \
    kiran krishna lakshmi lalita manish manoj meera mohan mukesh naveen neha nikhil nisha pooja pradeep prakash pranav preeti rahul rajesh rakesh \
    ramesh ravi rohan rohit sandeep sanjana sarita shreya sita suresh sunita swati usha vijay vikram vikas vinod vivek akira aiko ayumi daisuke emi \
    haruka haruki hiroshi hiroko kaori kazuki kenji kenta makoto masashi mei michiko midori naoki naoko rei ryo sachiko sakura satoshi shinji shiro \
    takashi takeshi tomoko yoko yoshi yui yumi hao jian jing lijuan mingyu qing xiao xin xiaoming yan ying yong zhang zhen minh linh nguyen thanh \
    thuy tuan huong jisoo jihoon minjun seojun soyeon sungmin hyun abebe abeni adaeze adebayo akua ama amadi babatunde chidi chika chinedu chioma \
    efua emeka folake ifeoma imani kamau kofi kwabena kwame kwesi kweku lindiwe lwazi mandla ngozi nia nkechi obinna oluwaseun sipho tariro tendai \
    thabo themba wanjiru yaw zanele zuri alejandro alejandra alfonso alfredo alonso andres antonio armando arturo beatriz benito camilo catalina \
    consuelo cristian cristobal daniela diego eduardo emiliano emilio enrique ernesto esteban eugenia federico felipe fernanda fernando francisca \
    francisco gerardo gonzalo graciela guadalupe guillermo gustavo hector hernan ignacio isidro ivette jaime javier jimena joaquin jorge julieta \
    julio leticia lorena lorenzo lourdes lupe manuel manuela marcela marcelo mariana mariano mateo mauricio maximiliano monserrat nicolas octavio \
    oswaldo pablo patricio rafael ramiro ramon raul renata roberto rocio rodrigo rogelio rosario ruben sergio teodoro tomas valentina valeria vicente \
    ximena yesenia joao luiz thiago tiago joana duarte goncalo rui vasco alessandro alessandra angelo antonella carlo chiara davide domenico elisa \
    enzo fabio federica filippo francesca gianluca gianni giorgia giorgio giovanni giuseppe ilaria martina matteo massimo nicola pietro raffaele \
    riccardo salvatore simone stefania stefano umberto valentino vittoria adrien alain alexandre amelie anais antoine aurelie baptiste benoit \
    bertrand brigitte cecile chantal clement clementine delphine didier emilie etienne fabien francois francoise gaston genevieve gerard gilles \
    guillaume helene herve jacques laurent lucien luc manon marc margaux mathieu mathilde maxime michel monique nathalie noemie odile olivier pascal \
    philippe quentin remi remy sandrine sebastien serge solange sophie sylvie thibault thierry valentin yann yves andreas anja anke antje axel \
    bastian bernd birgit bjorn claus detlef dieter dirk elke erich ernst florian friedrich fritz georg gerhard gisela gunter hannelore heike heinrich \
    heinz helga helmut hermann holger ilse ingo jens jochen johann johannes jonas jorg josef jurgen jutta kai karin karl karsten katharina katja \
    katrin konrad leonie lotte ludwig lukas manfred markus mathias matthias moritz monika nils norbert oskar otto rainer reinhard renate rolf rudolf \
    sabine silke sigrid steffen susanne tobias torsten udo ulrich ulrike ute uwe volker werner wilhelm wolfgang anders arne astrid birgitta britta \
    carsten ebba elin elsa emil fredrik frida gunnar gustav hakon halvor hanna henrik hilda inger jesper jorgen kari kjell kristian kristoffer lasse \
    leif linnea magnus maja malin mats mikael mikkel morten niels nikolaj olof pernille rasmus sanna signe sigurd silje siv solveig soren stig svea \
    terje thor trond ulf ulla vidar aino antti eero eino heikki juha jukka kaisa katri matti mika mikko paavo pekka tapio timo toivo ville agata \
    agnieszka aleksander aleksandra andrzej aneta beata bogdan boris danuta dariusz dawid dominik dorota elzbieta ewa filip franciszek grzegorz \
    halina irena iwona jacek jadwiga jakub janusz jaroslaw jerzy jolanta justyna kamil karolina kasia katarzyna kazimierz krystyna krzysztof leszek \
    lukasz maciej magdalena malgorzata marcin marek mariusz mateusz michal mikolaj miroslaw patryk pawel piotr przemyslaw radoslaw rafal ryszard \
    slawomir stanislaw szymon tadeusz tomasz wieslaw wiktor wlodzimierz wojciech zbigniew zofia alexei aleksei alexey anatoly andrei andrey anton \
    artem dimitri dmitri dmitry ekaterina evgeny galina gennady grigori igor irina kirill konstantin ksenia larisa leonid lev ludmila maksim mikhail \
    nadezhda natalia nikita nikolai oksana oleg pyotr ruslan sergei sergey stanislav tatyana timur vadim valery vasily vitaly vladimir vladislav \
    yaroslav yelena yevgeny yulia yuri zoya andreea doina florin gheorghe ioana ionut mihai mircea radu razvan sorin vasile bence gabor gyorgy istvan \
    janos katalin laszlo miklos zoltan zsofia zsolt dragan goran ivana jelena jovana ljubica milica milos miroslav nenad nikola predrag radovan sasa \
    slobodan snezana tijana vesna vuk zoran dimitris eleni giorgos ioannis katerina kostas nikos spiros stavros vasilis yannis ahmet ayse cem deniz \
    elif emre esra fatma hakan kemal leyla mehmet merve murat nur omer selim serkan sinan yildiz zeynep ari chaim dov eitan eli hadas lior miri moshe \
    nir noa oren rivka shira shlomo tamar yael yair yitzhak yosef ciara ciaran aoife brendan brigid caoimhe conor declan deirdre eamon eoin fergus \
    finn grainne kieran maeve niamh oisin orla padraig roisin ronan saoirse seamus sinead siobhan callum catriona eilidh ewan fraser hamish iain isla \
    lachlan morag rhona rory ruaridh alun angharad bronwyn carys dafydd emrys gareth gethin gwyneth iwan llewellyn nerys owain rhiannon rhys sian \
    tegan kahu anahera moana tane wiremu gwendolyn desmond takumi wendell tamika xiomara angus alistair hollis rosalind tremaine keisha latoya \
    lakisha shanice deshawn darnell tyrone tyrell malik marquis darius devonte terrell lamar reggie deandre andre kwan latasha ebony shaniqua aisling \
    cormac eamonn fintan padraic sorcha teagan tadhg una alasdair finlay gregor kenzie mairi murdo ruaraidh shona anwen cerys delyth eluned gruffydd \
    ieuan llinos mair meirion rhodri sioned abraham absalom addison adela adeline agatha ainsley alana alberta alden aldo alec alecia alejo alessia \
    alfonsina alfie alma aloysius althea alvaro alvin amaia amal amalia amaya ambrose amira amos anabel andrius angelique angie annabel annabelle \
    annalise annmarie anselm antonina anwar archibald archie aristotle arlene arlo armand armin arnold arvind asif asma atticus aubrey augustus avery \
    aviva ayaan ayesha aziz azra barnaby bartholomew benedict benny bertram beryl bettina beulah blaine blair blake bobby boyd brad bradford brenna \
    brent brett brianna brielle brock bruno bryce bryson burak byron caitlin caitlyn caleb callie calum camden candace carey carina carlton carlotta \
    carly carmela carmine carson casey caspar casper cecelia cedric celia celine cesar charlene charmaine cherie chesca chester chiyo christa \
    christian christy cindy clarissa clarisse claudette claudio clayton clifton clint clive cole colette constance cora cordelia corinne cornelia \
    cornelius cory cyril cyrus dagmar dalia damian damien damon dana danica danny dante darcy daria darla darlene darrell dashiell davina dean deanna \
    debora deedee deidre delaney delilah delores demetrius denis derrick desiree dexter diallo dilip dina dinah dmitriy dolores dominique donovan \
    dora doreen dorian doug drew dustin dwight easton ebenezer eddie edie edmond edmund edna edwina effie efrain elaina eldon eleanora eliana elias \
    elijah elinor eliot elise elisha eliza ellie elliana elmer eloise elsbeth elton elvira elvis emanuel emerson emery emilia emmanuel emmett enid \
    enrico ephraim erick erling ernestine errol estelle ethel etta eugenie eunice evangeline everett evie ezekiel ezra fabian fabrizio faisal farah \
    fareed fatou fausto fay faye felicia felicity fernand fidel finley fletcher floyd forrest frank frankie freda freddie freddy frederic frederick \
    freya frieda gabe gabriel gabriele garrett garth genaro geoff georgina geraldo gerry gerta ghislaine gideon gilberto ginny giovanna giselle glen \
    glenda goldie grady gracie greer gretchen guido gunther gus gwyn hadley haider haley hamid hana hank hanif haroon harrison hattie hayden helena \
    henrietta herminia hester hillary hollie horace horatio howie hubert hussain iman imran ingeborg irma irving irwin isaiah isidore jace jaclyn \
    jada jaden jake jameson jamie janelle janette janine javi jay jayden jeanine jeannie jed jeffery jenifer jennie jensen jermaine jerrold jess \
    jessie jimmie jimmy joachim joann joaquim jocelyne joelle joey johanna johnnie johnny jolene jonah jonathon jordan jordi josefina josh josiah \
    josie judah judd jude judit judson julianne julien juliette julius junaid kaitlin kaitlyn kamala kamran kara karla karol kasper katelyn kathrin \
    katia katy kayleigh keaton keegan keiran kelli kelsey kelvin ken kendall kendra kenny kermit kerri kerstin khaled khalil kirk kirsty klara kristi \
    kristine kyla kylie kyra lacey lamont lana landon latisha laurel lauri laurie lavinia lazaro leandro leigh leilani leland lennox lenny leona \
    leonardo leonor leopold lester letitia levi lexi liana libby lila liliana lilith lina linus lionel lisandro lise lizzie lonnie lorelei loren \
    lorna lottie lou louella lowell lucan lucille lucinda lucretia luella luigi lula luther lyla lyle lyndon lynette mable mackenzie maddie madeleine \
    madeline mae magda mahmood maisie malachi mallory mamadou mandeep manpreet mara marcellus margarete margery margo marguerite mariah marian \
    marianne maricela mariel marietta marilou marina marisa marisol marissa marjory marla marlon marsha marty maryann maryanne maryellen mattie maud \
    maude mauro mavis maximilian maxwell mckenzie meaghan mehdi melinda merle mervyn meryl mickey miguelina mikaela mikey milena milo mindy minerva \
    minnie mirela mitch mohamad mohamed mohammad monty morgana moses muhammed murray mya myles myron myrtle nadeem naheed najib nasir natalya nate \
    nathanael navid ned nellie nettie neville nicki nicky nico nicolette nigella niko nila noreen norris nyla octavia odell ofelia ollie omari \
    ophelia orson osama osvaldo otis ottavio oumar padma pam pasquale patrice patsy patti paulette paulina paulo percival percy perry pete petronella \
    peyton philippa phillip piers pippa preston qasim quincy quinn quinton rachelle rafa rafaela rahim raina ralf randal randall randolph randy \
    raphael raquel rasheed rashida raymundo reba reina reinaldo rene reuben rex reyna rhoda ricky rico riley rina rishi ritchie robbie robby robyn \
    rocco roderick rohini romy ron ronda ronaldo ronnie rosalie rosalyn rosamund rosanna rosanne roscoe roselyn rosemarie rosemary rosetta rosie \
    roslyn rowan rowena roxana roxy roz rudy rufus rukhsana rupa rupinder rushil ruthie sadia sadie saeed safiya saira salma salman salvador sameer \
    sammy samson sanaa saqib saskia saul scarlett sebastiano selina selma serafina seraphina shahid shakira shana shania shannon shari shauna shawn \
    shawna shayna shelby shelia sheri sherri shereen sherwin shirin sidra sienna silas silvio simona skyler sofie sondra sonja sonya spencer stacie \
    stan stefani stella stephan stephane stephon stewart stu sullivan susana susannah susie suzanne suzette sybil sylvester tabitha talia talya \
    tamera tania tara tarquin tasha taylor teddy tera terese teri terri tessa thaddeus thea thelma theo theodora thornton tia tiana tiffany tiffani \
    tilda tillie timmy tisha tobin tommy tonia tonya tori traci tracie treena trent trenton trina tristan trudy tyra ugo ulysses uriel usman \
    valentine vanna vaughn velma verna veronique vic vicki vihaan viktor viktoria vilma vince virgil vito vivien viviana vivienne vlad waleed wallace \
    wally walt waseem waylon wes weston wilbur wilfred wilfredo wilhelmina willa willard willem willie willis wilma winifred winnie winston wyatt \
    xander xenia ximenia yahya yara yasir yasmine yuan yuka yuko yuna yusra zac zach zachariah zack zaid zain zakaria zander zara zayn zeke zelda \
    zena zia zita zubair zuleika anselmo eustace ferdinand thandiwe nomsa bongani lerato kagiso tebogo tshepo refilwe palesa nomvula zodwa musa \
    aminata fatoumata ousmane moussa ibrahima cheikh oumou aissatou kwaku akosua abena yaa adwoa afia ekow kojo chinwe ikenna uche nneka chiamaka \
    ifeanyi olumide babajide folasade temitope yetunde titilayo bukola adeola oluwatobi ayodele kehinde taiwo wangari njeri achieng otieno kipchoge \
    wambui nyambura gebre tigist hiwot dawit selam meseret yonas bereket teresinha thais vitoria otavio caio vinicius heitor murilo yago iara janaina \
    rosangela jussara edson gilson nilton valdir quang hieu khanh phuong quoc trang trinh tuyet vinh xuan giang jiho eunji hyejin jiyoung kyung minji \
    minseo sangwoo seokjin seungho siwoo soojin taehyung yejin yeonwoo youngmi donghyun bohyun nattapong somchai siriporn apinya kittisak niran \
    wichai putu ketut wayan nyoman dewi joko budi ratna rizky ayu putri hendra luzviminda jomar rodel arnel bayani ligaya jiawei xiaoli weiwei \
    meiling yifan zihan ruoxi junjie haoran siyu yutong mingzhu guoqiang jianguo harpreet gurpreet jaspreet amandeep kulwinder balwinder sukhdeep \
    manjit ranjit simran navjot inderjit parminder charanjit aarav ishaan ananya diya aditi ishita kavya lavanya madhuri nandini padmini pallavi \
    radha rashmi rekha ritu roshni sangeeta savita seema shilpa shruti smita sneha sudha sushma uma vandana varsha vidya abhishek ankit ankur ashwin \
    chetan darshan girish hemant jatin kartik ketan mahesh mayank mohit nitin pankaj piyush prashant praveen rajiv rajat sachin sandip saurabh \
    shankar siddharth sumit tarun tushar varun venkat vinay vishal yash yogesh shabnam nasreen parveen rubina shazia tahira yasmeen zeenat farhan \
    imtiaz jawad kashif nadir naveed rizwan saleem shoaib tanveer wasim yasin zahid zeeshan aleksandar biljana branko dejan djordje dusan gordana \
    jasmina marija marko mirjana natasa petar sanja snezhana stevan vladan zeljko zlatko plamen stoyan georgi dimitar hristo ivaylo kalina krasimir \
    lyubomir radka rumen stanimir todor tsvetelina yordan bohdan iryna kateryna lyudmyla mykola mykhailo nataliya oleksandr oleksiy olha serhiy \
    svitlana taras vasyl volodymyr yaroslava yuliya zinaida giedre jurgita kestutis mindaugas rimantas saulius vytautas andris ilze janis raimonds \
    kadri kersti kristjan mihkel priit toomas urmas arvo ilkka jarmo jorma kirsi marjatta outi paivi pertti pirjo reijo riitta seppo sirpa tarja \
    tuomas tuula veikko anneli gudrun bjarni einar halldor ingibjorg kristjana olafur sigridur thorsteinn";

/// Words that name nobody where a name is announced, besides those that are in no name and no mailbox.
pub(super) const NO_NAMES: &str = "\
    irish french italian polish dutch german spanish russian chinese japanese korean greek turkish indian african american british scottish welsh jewish muslim \
    arabic hindi portuguese swedish norwegian danish czech hungarian ukrainian vietnamese filipino mexican cleared present generic starts ends begins format \
    ruined taken protected initials homeowner tenant owner owners renter parent parents guardian caregiver executor landlord attorney lawyer anonymous pickup comma nobodys anybodys \
    everybodys mud nowhere utter sheer pure nonsense rubbish garbage madness chaos joke scam fraud theft outrage disgrace nightmare disaster mess hell crap \
    brutal classic kidding dumb stupid silly lame gross creepy weird shady sketchy fishy odd neat fun lovely perfect brilliant fantastic excellent \
    wonderful outstanding superb decent mediocre confusing misleading missing showing appearing irrelevant nowhere somewhere everywhere anywhere elsewhere nobody cut cropped absent garbled smudged blurry faded illegible unreadable awful terrible \
    horrible amazing crazy insane ridiculous absurd strange odd funny sad happy unhappy angry furious mad upset glad tired hungry thirsty sick ill \
    busy late early broke lost stuck safe legit fake wrongly okay fully partly half totally completely entirely apparently allegedly mostly nearly \
    barely hardly rather beyond super extra kinda sorta way worth worse worst better best big huge tiny short long tall wide narrow high low deep hot \
    cold warm cool wet dry dirty clean loud quiet fast slow cheap expensive pricey nice rude kind useless useful helpful hopeless unacceptable \
    acceptable incredible unbelievable impossible possible urgent serious critical critically important essential available temporary permanent final \
    initial usual normal typical standard regular special specific particular popular famous familiar foreign local global national international \
    free paid due overdue pending expired cancelled canceled delayed postponed closed opened open shut locked unlocked blocked frozen warranty \
    control construction review investigation pressure stress maintenance renovation repair attack arrest contract budget oath water age support \
    service services sales billing shipping delivery department office team company store shop bank hotel airline airport pharmacy clinic hospital \
    school university insurance agency reception accounting payroll dispatch warehouse tech technical customer front desk main head floor house home \
    kitchen bathroom garage car truck van bus train plane flight trip vacation holiday weekend monday tuesday wednesday thursday friday saturday \
    sunday week month year hour minutes morning noon night document documents paper papers form forms list lists bills invoice receipt statement \
    letter label tag sticker sign badge passport licence license certificate lease deed title record records system systems screen computer laptop \
    tablet router modem printer internet network wifi connection app software update upgrade version error problem problems issue issues trouble \
    question questions answer answers reason reasons result results idea plan plans deal deals offer offers option options choice price prices cost \
    costs fee fees refund refunds charge charges payment payments money cash order orders package packages parcel item items product products thing \
    stuff part parts piece pieces set pair bunch bit couple few several many lots plenty zero none neither either both each whole entire exact \
    precise true false real actual proper correct accurate incorrect inaccurate misprinted mistyped misread mispronounced spoken written typed \
    included excluded signed sealed engraved embossed stitched painted carved featured cited quoted called labelled labeled tagged he she they we us \
    him them hers ours theirs mine itself himself herself themselves ourselves yourself who whose whom whoever whatever whichever anyway besides \
    instead meanwhile otherwise therefore thus hence although though unless whereas whether despite per via versus among between behind beside \
    beneath underneath near far along across around against within without throughout toward towards onto upon until since during ago soon later \
    sooner often seldom rarely twice thrice forever tonight yesterday everyday overnight halfway straight apart together alone holding waiting \
    running coming driving sitting standing walking trying hoping wondering thinking willing able unable ready afraid aware curious worried concerned \
    confused annoyed frustrated disappointed disgusted shocked surprised excited thrilled grateful thankful interested bored exhausted overwhelmed \
    embarrassed scared nervous anxious desperate stranded trapped done finished through outside inside upstairs downstairs abroad overseas offline \
    online pregnant disabled retired unemployed employed homeless diabetic allergic vegan vegetarian gluten lactose intolerant deaf blind elderly old \
    young new used second third rumor rumour taken gone sent seen heard known unknown meant made kept held left right wrong bad good great fine well \
    poor rich full empty light dark heavy easy hard tough simple plain basic complex complicated";

/// Family names that are seldom anything else, in lower case.
pub(super) const FAMILY_NAMES: &str = "\
    smith johnson williams jones garcia miller davis rodriguez martinez hernandez lopez gonzalez gonzales wilson anderson thomas taylor moore jackson \
    martin perez thompson harris sanchez clark ramirez lewis robinson walker allen wright scott torres nguyen flores adams nelson rivera campbell \
    mitchell carter roberts gomez phillips evans turner diaz edwards collins reyes stewart morris morales murphy rogers gutierrez ortiz morgan cooper \
    peterson bailey reed kelly howard ramos kim cox richardson watson chavez bennett gray mendoza ruiz hughes alvarez castillo sanders patel myers \
    ross jimenez powell jenkins perry sullivan russell butler barnes fisher henderson coleman simmons patterson jordan reynolds hamilton graham \
    griffin wallace moreno hayes gibson bryant ellis stevens murray marshall owens mcdonald harrison freeman kennedy alvarado vasquez castro mendez \
    gomes pereira silva santos oliveira souza ferreira almeida costa carvalho ribeiro goncalves martins rocha dias moreira nunes mendes barbosa \
    cardoso teixeira correia pinto lopes fernandes rodrigues sousa monteiro figueiredo machado azevedo vieira batista campos herrera medina vargas \
    castaneda guerrero munoz rojas delgado ortega soto contreras guzman aguilar salazar dominguez maldonado espinoza vega sandoval padilla acosta \
    cabrera figueroa cortez navarro mejia estrada molina fuentes carrillo ayala cervantes lozano villarreal villanueva trujillo valdez zamora ochoa \
    bauer mueller muller schmidt schneider fischer weber meyer wagner becker schulz hoffmann hoffman schaefer schafer koch richter klein schroeder \
    neumann schwarz zimmermann braun krueger hofmann hartmann schmitt werner krause lehmann koehler huber peters scholz weiss hahn vogel friedrich \
    keller gunther baumann berger winkler roth lorenz ludwig simon brandt voigt lindqvist johansson andersson karlsson nilsson eriksson larsson \
    olsson persson svensson gustafsson pettersson jonsson jansson hansson bengtsson lindberg jakobsson magnusson olofsson lindstrom lindgren axelsson \
    berg bergstrom lundberg lundgren lundqvist mattsson berglund fredriksson sandberg henriksson forsberg sjoberg wallin engstrom eklund danielsson \
    lundin hakansson haugen hansen johansen olsen larsen pedersen nilsen kristiansen jensen karlsen eriksen jacobsen rasmussen sorensen christensen \
    christiansen petersen thomsen poulsen knudsen mortensen moller korhonen virtanen makinen nieminen makela hamalainen laine heikkinen koskinen \
    jarvinen rossi russo ferrari esposito bianchi romano colombo ricci marino greco gallo conti giordano mancini rizzo lombardi moretti barbieri \
    fontana santoro mariani rinaldi caruso ferrara galli martini longo gentile martinelli dubois moreau laurent lefebvre leroy roux fournier morel \
    girard bonnet dupont lambert fontaine rousseau vincent lefevre faure mercier blanc guerin boyer garnier chevalier legrand gauthier perrin morin \
    gautier fernandez suarez serrano blanco ibanez pascual herrero gimenez hidalgo lorenzo santana ferrer crespo nowak kowalski kowalczyk wisniewski \
    wojcik kaminski lewandowski zielinski szymanski wozniak dabrowski kozlowski jankowski mazur wojciechowski kwiatkowski krawczyk piotrowski \
    grabowski pawlowski michalski krol wieczorek jablonski wrobel nowakowski majewski olszewski stepien malinowski jaworski adamczyk dudek nowicki \
    pawlak gorski ivanov smirnov kuznetsov popov vasiliev petrov sokolov mikhailov novikov fedorov morozov volkov alekseev lebedev semenov egorov \
    pavlov kozlov stepanov nikolaev orlov andreev makarov nikitin zakharov ivanova petrova smirnova kuznetsova popova sokolova shevchenko kovalenko \
    bondarenko tkachenko kravchenko oliynyk kovalchuk melnyk boyko horvath kovacs nagy szabo toth varga molnar nemeth farkas papp novak svoboda \
    novotny dvorak cerny prochazka kucera vesely popescu ionescu popa radu dumitru stoica gheorghe papadopoulos papadakis georgiou dimitriou \
    nikolaidis jovanovic petrovic nikolic markovic djordjevic stojanovic ilic stankovic pavlovic horvat kovacevic babic maric yilmaz kaya demir celik \
    sahin yildirim ozturk aydin ozdemir arslan dogan kilic aslan cetin sharma verma gupta singh kumar kaur agarwal agrawal mehta shah joshi desai \
    reddy rao iyer nair menon pillai mukherjee chatterjee banerjee bose sengupta chowdhury chaudhary malhotra kapoor khanna chopra bhatia arora sethi \
    gill sandhu dhillon grewal sidhu mishra pandey tiwari trivedi dubey srivastava saxena rathore chauhan thakur yadav naidu krishnan subramanian \
    venkatesan khan ahmed hussain malik iqbal sheikh qureshi siddiqui ansari mirza akhtar chaudhry rahman hossain akter haque karim uddin sarkar wang \
    zhang liu yang huang zhao zhou zhu guo luo gao zheng liang xie tang feng deng xiao cheng shen peng yuan tsai hsu chan cheung leung lau yeung tran \
    pham huynh hoang bui duong tanaka suzuki sato takahashi watanabe ito yamamoto nakamura kobayashi kato yoshida yamada sasaki yamaguchi matsumoto \
    inoue kimura hayashi shimizu saito abe ikeda hashimoto ishikawa ogawa goto okada hasegawa murakami kondo ishii fujita endo aoki sakamoto \
    nishimura fukuda ota miura okamoto fujiwara nakajima nakano harada choi jeong kang yoon jang lim kwon hwang yoo jeon baek heo garza quinn okafor \
    okonkwo adeyemi adebayo ogunleye balogun nwosu okoye chukwu abubakar bello mohammed ibrahim usman mensah owusu boateng asante osei appiah amoah \
    agyeman addo ofori mwangi kamau kariuki njoroge wanjiku ochieng odhiambo otieno mutua kimani nkosi dlamini ndlovu mkhize khumalo mokoena sithole \
    mbeki mandela molefe tshabalala botha pretorius venter naidoo govender diallo traore coulibaly keita diop ndiaye sarr cisse toure haile tesfaye \
    bekele abebe alemu girma mohamed abdi warsame ali hassan omar hussein mahmoud mostafa elsayed rashid haddad khoury nasser saleh mansour saeed \
    farah aziz karimi hosseini ahmadi rezaei moradi jafari cohen levy mizrahi peretz biton dahan friedman katz goldberg goldstein rosenberg shapiro \
    rosenthal weinstein levine epstein feldman greenberg schwartz kaplan bernstein rubin rosen oconnor obrien oneill osullivan ryan walsh byrne doyle \
    mccarthy gallagher doherty lynch mcloughlin mclaughlin oreilly reilly connolly daly fitzgerald fitzpatrick nolan brennan donnelly kavanagh burke \
    duffy maguire hogan moran mckenna flanagan macdonald mackenzie mackay maclean mcleod macleod fraser sinclair mckay morrison cameron ferguson \
    johnston robertson duncan mcintosh mcgregor macgregor mcmillan munro drummond buchanan hepburn urquhart llewellyn griffiths pritchard gwynne rhys \
    bevan vaughan meredith probert prosser wainwright hargreaves hargrove underhill atkinson ashworth whitaker whittaker hutchinson abernathy \
    carrington pruitt thibodeaux boudreaux landry fontenot hebert guidry quigley bancroft blackwood blakely bradshaw brewster broughton calloway \
    carmichael chadwick chamberlain clarkson cartwright crawford cunningham dalton davenport dawson dixon donaldson donovan dunn eastwood ellison \
    emerson farrell fenwick fitzroy fleming fletcher foster fowler franklin garrett garner gardner gilbert goodwin greenwood gregory hancock hanson \
    harding harper harrington hawkins haynes hendricks hensley higgins hodges holloway holmes hopkins horton hubbard hudson huffman humphrey ingram \
    jacobson jarvis jefferson jennings kirby kirkpatrick knox kramer langley larson lawrence lawson leach leblanc lindsey livingston lockhart lowery \
    lucas lyons maddox malone mathews matthews maxwell mayer mccall mccann mcclain mcclure mccormick mccoy mccullough mcdaniel mcfarland mcgee \
    mcgrath mcguire mcintyre mckee mckinney mclean mcmahon mcneil melendez mercado merritt meyers middleton monroe montgomery montoya nash newman \
    newton nichols nicholson nielsen norman norris norton odonnell oneal orozco osborne parrish parsons patton pearson pennington perkins phelps \
    pierce pittman potter pratt preston randall randolph raymond rhodes richards riggs robbins robles rodgers rollins rosario rowe rowland salas \
    salinas saunders sawyer schultz sexton shaffer shannon shelton shepard shepherd sheppard sherman sloan snyder solis solomon spencer stafford \
    stanley stanton stark steele stephens stephenson stevenson stokes sutton swanson sweeney tate terrell thornton townsend tucker tyler underwood \
    valentine vance vaughn velasquez velez wade waller walters walton warren watkins watts weaver webb webster wheeler whitehead whitney wiggins \
    wilcox wilkerson wilkins wilkinson willis winters wolfe woodard woodward wyatt yates zimmerman zuniga dekker bakker visser meijer mulder hendriks \
    dijkstra vermeulen jacobs maes claes wouters goossens mertens willems verhoeven degroot vandenberg vanderberg okeke oyelaran achebe soyinka \
    onyeka chukwuma nakagawa takeda uchida maeda tamura nakayama ueda kaneko hirano yokoyama sugiyama villalobos quintero restrepo zapata cardenas \
    bermudez arias barrera benitez bravo cisneros coronado escobar galindo gallegos lara leon marquez miranda nieto nunez olivares pacheco pineda \
    quiroz rangel rosales rubio saavedra solano tapia tovar trevino urbina velazquez zavala alfaro arellano baca becerra borja bustamante calderon \
    camacho cano cantu cordova duarte enriquez esparza";

/// Family names that are words as well: names only behind a given name, or where a name is asked for.
pub(super) const WORD_NAMES: &str = "\
    young king green white black brown cook baker long short small little rich price bell day hall hill hills wood woods banks fields rivers best \
    love sharp cross fox wolf bush rose cash park parks song moon stone rice snow frost winter summers may march west north stern strong swift wise \
    bright church brook brooks marsh lake ford page carpenter mason miller smith cooper hunter hunt fish bird swan crane drake lamb bull pike bass \
    berry cherry reed rush sands glass gold silver steel locke lock key case cole coal dean deal power powers peace noble knight bishop abbott pope \
    duke earl prince major sergeant gates ball bond booth boone bowman burns chambers chase dale daily dear english french holland ireland welch \
    welsh hand head foot broad field flowers gay good goodman grace graves hardy hart harp high holiday hood house hurst joy judge lane law lowe lyon \
    mace mann merchant mills moody moss nickel nutt paine paige pepper pool pollard post read reader rock rowe sellers sheets sherry shields spears \
    spring street temple tree walls ward waters weeks wells wilder wing winn worth york savage stack staples star sweet swim tyson viola lee fall \
    shin pan hong sun fuchs butt kiss bruno robin";
