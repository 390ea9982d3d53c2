//! Words that are names, and words that are in no name.
//!
//! Given names of many countries that callers give often, so that a name needs less around it; those that are words as
//! well are left out. Words that may follow "my name is" or "this is" in ordinary talk and name nobody. Only data.

/// Given names, in lower case.
pub(super) const GIVEN_NAMES: &str = "\
    grace james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony donald steven paul andrew joshua kenneth \
    kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel \
    gregory alexander patrick jack dennis jerry tyler aaron jose adam nathan henry peter zachary kyle noah ethan jeremy mary patricia jennifer linda \
    elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley kimberly emily donna michelle carol amanda melissa deborah \
    stephanie rebecca laura sharon cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel \
    carolyn janet maria catherine heather diane olivia julie joyce victoria ruth virginia lauren kelly christina joan evelyn judith andrea hannah \
    megan cheryl jacqueline martha madison teresa gloria sara janice ann kathryn abigail sophia frances jean alice judy isabella julia denise amber \
    danielle marilyn beverly charlotte natalie theresa diana brittany kayla alexis lori jane lucas liam oliver mohammed muhammad ahmed ali fatima \
    omar hassan priya raj wei yuki chen carlos juan luis miguel pedro sofia elena ivan olga pierre marie hans klaus jan sven lars erik ingrid giulia \
    marco luca paolo anita sanjay amit sunil tom tim ben sam dan joe mike dave steve chris matt nick alex kate jenny beth meg sue tony greg jeff jim \
    bob bill ted fred harry leo max oscar felix victor simon martin philip phil keith craig derek dylan claire clare beatrice nigel douglas stefan \
    pavel svetlana annika keiko amara zainab rosa arjun pauline albert alfred alan allan allen arthur barry bernard bradley bruce bryan calvin \
    cameron carl cecil chad clara clarence clifford clyde colin connor corey cody curtis darren darryl dominic duncan dwayne earl edgar edwin elliot \
    elliott ernest eugene evan francis franklin gavin geoffrey gerald gilbert glenn gordon graham harold harvey herbert herman howard hugh hugo ian \
    isaac jared jeremiah jerome jesse joel julian kurt lawrence leon leonard leroy leslie lewis lloyd logan louis luke malcolm marcus mario marshall \
    marvin maurice melvin micah milton mitchell morris nathaniel neil nelson norman owen ralph raymond reginald ricardo rodney roger roland ross roy \
    rupert russell sebastian seth shane shaun sean sheldon sidney stanley stuart terence terrence terry theodore toby todd travis trevor vernon \
    vincent walter warren wayne wesley xavier adele adriana agnes aisha alicia alison allison amelia anastasia angelica angelina anne annette annie \
    antonia ariana audrey ava becky bella bernadette bertha bethany bianca bonnie bridget camila camille candice carla carmen caroline carrie \
    cassandra cecilia celeste chloe claudia colleen connie courtney cristina daphne debbie delia doris dorothy edith eileen elaine eleanor ella ellen \
    elsie erica erika erin esther eva eve fiona gabriela gabriella gabrielle gail geraldine gertrude gina greta gwen harriet hilary ida imogen ines \
    irene isabel isabelle jackie jana jasmine jeanette jeanne jenna jill jillian joanna joanne jocelyn jodie josephine juanita juliana juliet justine \
    katie katrina kathy kerry kim kirsten kristen kristin kristina lara leah lena lillian lily lindsay lindsey liz lois loretta lorraine louise lucia \
    lucy lydia lynn mabel maggie malia mandy marcia margarita maribel marion marjorie marlene marta mathilda matilda maureen maxine maya melanie \
    meredith mia mildred millie miranda miriam moira molly mona monica muriel myra nadia nadine naomi natasha nina nora norma odette paige patty \
    paula peggy penelope petra phoebe phyllis polly priscilla rachael ramona renee rhonda rita roberta robin rochelle roxanne sabrina sally sasha \
    selena serena sheila shelly sherry silvia sonia stacey stacy sylvia tamara tammy tanya tatiana tess tina tracey tracy trisha ursula valerie \
    vanessa vera veronica vicky vivian wanda wendy whitney yolanda yvette yvonne zoe abdul abdullah ibrahim ismail yusuf youssef khalid mahmoud \
    mustafa karim rashid samir tariq bilal hamza hussein jamal kareem nasser salim aaliyah amina khadija layla leila mariam maryam nadira samira \
    yasmin zahra aditya ajay akash anil anjali anand arun ashok deepak deepika devi dinesh divya gaurav gopal harish indira kavita kiran krishna \
    lakshmi lalita manish manoj meera mohan mukesh naveen neha nikhil nisha pooja pradeep prakash pranav preeti rahul rajesh rakesh ramesh ravi rohan \
    rohit sandeep sanjana sarita shreya sita suresh sunita swati usha vijay vikram vikas vinod vivek akira aiko ayumi daisuke emi haruka haruki \
    hiroshi hiroko kaori kazuki kenji kenta makoto masashi mei michiko midori naoki naoko rei ryo sachiko sakura satoshi shinji shiro takashi takeshi \
    tomoko yoko yoshi yui yumi hao jian jing lijuan mingyu qing xiao xin xiaoming yan ying yong zhang zhen minh linh nguyen thanh thuy tuan huong \
    jisoo jihoon minjun seojun soyeon sungmin hyun abebe abeni adaeze adebayo akua ama amadi babatunde chidi chika chinedu chioma efua emeka folake \
    ifeoma imani kamau kofi kwabena kwame kwesi kweku lindiwe lwazi mandla ngozi nia nkechi obinna oluwaseun sipho tariro tendai thabo themba wanjiru \
    yaw zanele zuri alejandro alejandra alfonso alfredo alonso andres antonio armando arturo beatriz benito camilo catalina consuelo cristian \
    cristobal daniela diego eduardo emiliano emilio enrique ernesto esteban eugenia federico felipe fernanda fernando francisca francisco gerardo \
    gonzalo graciela guadalupe guillermo gustavo hector hernan ignacio isidro ivette jaime javier jimena joaquin jorge julieta julio leticia lorena \
    lorenzo lourdes lupe manuel manuela marcela marcelo mariana mariano mateo mauricio maximiliano monserrat nicolas octavio oswaldo pablo patricio \
    rafael ramiro ramon raul renata roberto rocio rodrigo rogelio rosario ruben sergio teodoro tomas valentina valeria vicente ximena yesenia joao \
    luiz thiago tiago joana duarte goncalo rui vasco alessandro alessandra angelo antonella carlo chiara davide domenico elisa enzo fabio federica \
    filippo francesca gianluca gianni giorgia giorgio giovanni giuseppe ilaria martina matteo massimo nicola pietro raffaele riccardo salvatore \
    simone stefania stefano umberto valentino vittoria adrien alain alexandre amelie anais antoine aurelie baptiste benoit bertrand brigitte cecile \
    chantal clement clementine delphine didier emilie etienne fabien francois francoise gaston genevieve gerard gilles guillaume helene herve jacques \
    laurent lucien luc manon marc margaux mathieu mathilde maxime michel monique nathalie noemie odile olivier pascal philippe quentin remi remy \
    sandrine sebastien serge solange sophie sylvie thibault thierry valentin yann yves andreas anja anke antje axel bastian bernd birgit bjorn claus \
    detlef dieter dirk elke erich ernst florian friedrich fritz georg gerhard gisela gunter hannelore heike heinrich heinz helga helmut hermann \
    holger ilse ingo jens jochen johann johannes jonas jorg josef jurgen jutta kai karin karl karsten katharina katja katrin konrad leonie lotte \
    ludwig lukas manfred markus mathias matthias moritz monika nils norbert oskar otto rainer reinhard renate rolf rudolf sabine silke sigrid steffen \
    susanne tobias torsten udo ulrich ulrike ute uwe volker werner wilhelm wolfgang anders arne astrid birgitta britta carsten ebba elin elsa emil \
    fredrik frida gunnar gustav hakon halvor hanna henrik hilda inger jesper jorgen kari kjell kristian kristoffer lasse leif linnea magnus maja \
    malin mats mikael mikkel morten niels nikolaj olof pernille rasmus sanna signe sigurd silje siv solveig soren stig svea terje thor trond ulf ulla \
    vidar aino antti eero eino heikki juha jukka kaisa katri matti mika mikko paavo pekka tapio timo toivo ville agata agnieszka aleksander \
    aleksandra andrzej aneta beata bogdan boris danuta dariusz dawid dominik dorota elzbieta ewa filip franciszek grzegorz halina irena iwona jacek \
    jadwiga jakub janusz jaroslaw jerzy jolanta justyna kamil karolina kasia katarzyna kazimierz krystyna krzysztof leszek lukasz maciej magdalena \
    malgorzata marcin marek mariusz mateusz michal mikolaj miroslaw patryk pawel piotr przemyslaw radoslaw rafal ryszard slawomir stanislaw szymon \
    tadeusz tomasz wieslaw wiktor wlodzimierz wojciech zbigniew zofia alexei aleksei alexey anatoly andrei andrey anton artem dimitri dmitri dmitry \
    ekaterina evgeny galina gennady grigori igor irina kirill konstantin ksenia larisa leonid lev ludmila maksim mikhail nadezhda natalia nikita \
    nikolai oksana oleg pyotr ruslan sergei sergey stanislav tatyana timur vadim valery vasily vitaly vladimir vladislav yaroslav yelena yevgeny \
    yulia yuri zoya andreea doina florin gheorghe ioana ionut mihai mircea radu razvan sorin vasile bence gabor gyorgy istvan janos katalin laszlo \
    miklos zoltan zsofia zsolt dragan goran ivana jelena jovana ljubica milica milos miroslav nenad nikola predrag radovan sasa slobodan snezana \
    tijana vesna vuk zoran dimitris eleni giorgos ioannis katerina kostas nikos spiros stavros vasilis yannis ahmet ayse cem deniz elif emre esra \
    fatma hakan kemal leyla mehmet merve murat nur omer selim serkan sinan yildiz zeynep ari chaim dov eitan eli hadas lior miri moshe nir noa oren \
    rivka shira shlomo tamar yael yair yitzhak yosef ciara ciaran aoife brendan brigid caoimhe conor declan deirdre eamon eoin fergus finn grainne \
    kieran maeve niamh oisin orla padraig roisin ronan saoirse seamus sinead siobhan callum catriona eilidh ewan fraser hamish iain isla lachlan \
    morag rhona rory ruaridh alun angharad bronwyn carys dafydd emrys gareth gethin gwyneth iwan llewellyn nerys owain rhiannon rhys sian tegan kahu \
    anahera moana tane wiremu";

/// Words that name nobody where a name is announced, besides those that are in no name and no mailbox.
pub(super) const NO_NAMES: &str = "\
    nowhere utter sheer pure nonsense rubbish garbage madness chaos joke scam fraud theft outrage disgrace nightmare disaster mess hell crap \
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
