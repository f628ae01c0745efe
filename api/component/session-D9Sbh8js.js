import{ApiError as e,E as t,J as n,K as r,V as i,Z as a,b as o,c as s,h as c,k as l,n as u,o as d,t as f,v as p,w as m,z as h}from"./session-booking.js";import{Keys as g,creditText as _,n as v,r as y}from"./enhanced-lfqorW0w.js";var ee=4;async function te(e,t,n,r){let i=await ne(e,t,n,r),a=await d(i,ee,async({status:t,sessionId:n})=>t!==`accepted`||!n?null:e.get(`/sessions/${n}/cancellation-quote`,{},{signal:r})),o=a.filter(e=>e?.allowed).map(e=>e);return{items:i.flatMap(({startTime:e,status:t},r)=>{let i=t===`draft`&&n!==`operator`;return i||a[r]?.allowed?{startTime:e,isDraft:i}:[]}),fee:b(o.map(e=>e.fee)),refund:b(o.map(e=>e.refund)),credits:o.filter(v).length}}async function ne(e,t,n,r){let{seriesId:i,listingId:a,from:o}=t,s=[],c=null;do{let t={role:n===`operator`?null:n,from:o,listingId:a,order:`asc`,limit:100,cursor:c},l=await e.get(`/bookings`,t,{signal:r});s.push(...l.items.filter(e=>e.seriesId===i)),c=l.nextCursor}while(c);return s}function b(e){let[t]=e;return t?{currency:t.currency,amount:e.reduce((e,{amount:t})=>e+t,0)}:null}var re=20;async function ie(e,t,n,r){let i=n?await ae(e,t,r):null;if(i)return{permit:i,reviews:[]};let a={sessionId:t.id,limit:100},{items:o}=await e.get(`/mentors/${t.mentorProfileId}/reviews`,a,{signal:r});return{permit:i,reviews:o}}async function ae(e,t,n){let r=null;for(let i=0;i<re;i++){let i=await e.get(`/reviews/permits`,{limit:100,cursor:r},{signal:n}),a=i.items.find(({sessionId:e})=>e===t.id);if(r=i.nextCursor,a||!r)return a??null}return null}function x(e=Date.now()){return{phase:`loading`,session:null,tag:null,booking:null,quote:null,permit:null,reviews:[],plan:null,dialog:null,answering:null,doing:null,waiting:null,error:null,fieldErrors:{},notice:null,now:e}}function S(e){let t=e.quote?.cancelledBy;return t&&t!==`system`?t:null}function oe(e){return e!==`mentee`&&e!==`mentor`?[]:[e===`mentee`?`client_request`:`coach_request`,`emergency`,`other`]}function C({session:e,booking:t}){return t?t.kind===`group`:e!==null&&e.menteeUserId===null}function w(e){return e.earlyStartMinutes===null?-1/0:Date.parse(e.startTime)-e.earlyStartMinutes*6e4}var se=9e5;function T({startTime:e}){return Date.parse(e)+se}function E(e){let{session:t,now:n}=e,r=S(e),i=t?.status,a=r===`mentee`||r===`mentor`,o=t!==null&&n>=w(t),s=r===`mentee`&&C(e),c=i===`scheduled`&&e.quote?.allowed===!0;return{join:t?.joinUrl&&D(t.joinUrl)?t.joinUrl:null,start:i===`scheduled`&&a&&o,startsLater:i===`scheduled`&&a&&!o,complete:i===`in_progress`&&(r===`mentor`||r===`operator`),cancel:c&&!s,leave:c&&s,noShow:i===`scheduled`&&n>=T(t)?ce(e):[],review:i===`completed`&&e.permit!==null&&!e.reviews.length,answer:r===`mentor`&&e.reviews.some(e=>e.answeredAt===null),cancelSeries:!!e.booking?.seriesId&&r!==null&&i===`scheduled`}}function ce(e){let t=C(e)?[`mentor`]:[`mentee`,`mentor`];return S(e)===null?[]:t.filter(t=>t!==S(e))}function le({booking:e,quote:t}){if(!e||!t)return null;let n=t.policy?t.policy.lateFeePercent:100;return{percent:n,fee:{...e.price,amount:Math.floor((e.price.amount*n+50)/100)}}}function D(e){return/^https?:\/\//i.test(e)}var O=6e4,ue=18e5,de=36e5,fe=216e5;function pe(e,t,n,r){let{status:i}=e;if(i===`completed`||i===`cancelled`)return null;let a=i===`scheduled`?[T(e),Date.parse(r??``)]:[],o=[w(e),...a],s=Math.min(...o.map(e=>e>t?e-t+500:1/0)),c=Date.parse(e.startTime)-ue,l=t>Date.parse(e.endTime)+fe,u=n||l?1/0:i===`in_progress`||t>c?O:c-t,d=Math.min(s,u);return d===1/0?null:Math.min(d,de)}function me({session:e,booking:t,reviews:n}){if(!e)return[];let r=[[t!==null&&Date.parse(e.createdAt)-Date.parse(t.createdAt)>O?t.createdAt:null,`requested`],[e.createdAt,`booked`],[e.startedAt,`started`],[e.completedAt,`completed`],[e.cancelledAt,`cancelled`],[e.cancellation?.waivedAt,`waived`]];for(let{createdAt:e,answeredAt:t}of n)r.push([e,`reviewed`],[t,`answered`]);return r.flatMap(([e,t])=>e?[{at:e,kind:t}]:[]).sort((e,t)=>Date.parse(e.at)-Date.parse(t.at))}function k({allowed:e,fee:t,refund:n,creditReturned:r,policy:i}){let a=t.amount>0||n.amount>0||r!==null;return e&&(!a||i?.lateFeePercent===0)}function he(e,t){return e.allowed===t.allowed&&e.fee.amount===t.fee.amount&&e.refund.amount===t.refund.amount&&e.creditReturned===t.creditReturned}var ge={start:`in_progress`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`};function _e(e){return e.split(`
`).flatMap(e=>e.trim()||[])}function ve(e,t,n){let r={};for(let[i,a]of Object.entries(e)){let[e=``,o]=i.split(`.`),s=a.map(e=>o===void 0?n(e):t(String(Number(o)+1),n(e)));r[e]=[...r[e]??[],...s]}return r}var ye=30,A=6e4,j=3e3,M=6e4,N=class{#e;#t;#n;constructor(e,t,n){this.context=e,this.store=t,this.words=n,this.#e=``,this.#n=0,this.onWaiting=e=>{this.store.state.doing&&this.store.update({waiting:e})}}open(e){this.#e=e;let{signal:t}=this.context;t.addEventListener(`abort`,()=>clearTimeout(this.#t)),document.addEventListener(`visibilitychange`,()=>{let{session:e,doing:t}=this.store.state;!document.hidden&&e&&!t&&Date.now()-this.#n>M&&this.readLater()},{signal:t})}readLater(){this.read().catch(()=>this.schedule())}async read(){let{signal:t}=this.context;for(let n=1;;n++)try{let e=null,n={signal:t,onTag:t=>e=t},r=await this.context.client.get(`/sessions/${this.#e}`,{},n);this.#n=Date.now(),this.context.telemetry.loaded();let i=this.store.state.session;if(i&&Date.parse(i.updatedAt)>Date.parse(r.updatedAt))return this.schedule();this.#i(r),this.store.update({session:r,tag:e,phase:`ready`,now:Date.now()}),await this.readRest(r);return}catch(r){if(!(r instanceof e)||r.code!==`session_pending`||n>=ye)throw r;this.store.update({phase:`preparing`}),await s((r.retryAfter??1)*1e3,t)}}async readRest(t){let{client:n,signal:r}=this.context,i=null,[a,o]=await Promise.all([n.get(`/bookings/${t.bookingId}`,{},{signal:r}).catch(()=>this.store.state.booking),this.quote().catch(t=>(i=e.ofPage(t),this.store.state.quote))]);if(r.aborted)return;let s=this.store.state.quote!==null;this.store.update({booking:a,quote:o,now:Date.now()}),s||this.store.update({error:o?null:i}),this.schedule(),t.status===`completed`&&this.#r(t,r).catch(()=>void 0)}async#r(e,t){let n=Date.parse(e.completedAt??``);for(;;){let r=await ie(this.context.client,e,S(this.store.state)===`mentee`,t);if(this.store.update(r),r.permit||r.reviews.length||Date.now()-n>A)return;await s(j,t)}}plan(){let{session:e,booking:t}=this.store.state,n={seriesId:t?.seriesId,listingId:t?.listingId,from:e?.startTime};return te(this.context.client,n,S(this.store.state),this.context.signal)}quote(){let e={signal:this.context.signal,onWaiting:this.onWaiting};return this.context.client.get(`/sessions/${this.#e}/cancellation-quote`,{},e)}schedule(){clearTimeout(this.#t);let{session:e,phase:t,quote:n}=this.store.state;if(!e||t!==`ready`)return;let{realtime:r}=this.context,i=pe(e,Date.now(),r?.followsSessions??!1,n?.freeUntil);if(i===null)return;let{signal:a}=this.context;this.#t=setTimeout(()=>{a.aborted||(document.hidden||this.store.state.doing?this.schedule():this.readLater())},i)}#i(e){let{session:t,doing:n}=this.store.state;if(!t||n||t.status===e.status)return;let r=this.words(),i=r.changed(r.status[e.status]);this.store.update({notice:i,dialog:null}),this.context.announce(i)}},P=6e4,F={start:`started`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`},be=/* @__PURE__ */ new Set([`already_reviewed`,`already_answered`,`review_not_open`]),xe=class{#e;#t;#n;#r;constructor(e,t){this.context=e,this.words=t,this.store=new f(x()),this.#e=null,this.#r=null,this.#n=new g(e.client),this.#t=new N(e,this.store,t)}open(e){e!==this.#e&&(this.#e=e,this.store.update(x()),this.#t.open(e),this.load())}async load(){let{signal:t}=this.context;this.store.update({error:null,phase:this.store.state.session?`ready`:`loading`});try{await this.#t.read()}catch(n){if(t.aborted)return;let r=e.ofPage(n);this.store.update({error:r,phase:this.store.state.session?`ready`:`failed`}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`session`})}}changed(e){let{session:t,doing:n,phase:r}=this.store.state;e.id===this.#e&&t?.updatedAt!==e.updatedAt&&r!==`left`&&(n?this.#r=e:t?this.#t.readLater():this.load())}openDialog(e,t=null){this.store.update({dialog:e,answering:t,error:null,fieldErrors:{},notice:null,plan:null}),e===`cancel`&&this.#m(e,async()=>this.store.update({quote:await this.#t.quote()})),e===`series`&&this.#m(e,async()=>this.store.update({plan:await this.#t.plan()}))}closeDialog(){this.store.state.dialog&&this.store.update({dialog:null,error:null,fieldErrors:{}})}refuse(e,t){this.store.update({fieldErrors:{[e]:[t]}})}start(){let{onStart:e}=this.context.options.sessionActions??{};return this.#a(`start`,e&&(()=>e(this.#i)),{})}complete(e){let{onComplete:t}=this.context.options.sessionActions??{};return this.#a(`complete`,t&&(()=>t(this.#i,e)),e)}async cancel(t,n,r){let{quote:i,doing:a}=this.store.state,o=this.words();if(a)return;let s=E(this.store.state).leave?`leave`:`cancel`;if(s===`cancel`&&!t.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);let{onCancel:c}=this.context.options.sessionActions??{};if(c)return this.#a(s,()=>c(this.#i,t,r),{});await this.#f(s,async()=>{let a=await this.#t.quote();if(i?.allowed&&!a.allowed)throw new e(412,`stale`);if(i&&!he(i,a)){this.store.update({quote:a,notice:o.cancelling.costChanged});return}if(s===`leave`)return this.#l(t);let c={reason:t,type:r,...a.cancelledBy===`mentee`&&a.refund.amount>0&&{refundRequested:n}};this.#c(s,await this.#s(s,c))})}async review(e,t){let n=this.words();if(!e)return this.refuse(`rating`,n.reviewing.ratingMissing);await this.#f(`review`,async()=>{let n={rating:e,...t.trim()&&{comment:t.trim()}},r=await this.#h(`/sessions/${this.#i}/review`,n);this.store.update({reviews:[r],permit:null}),this.#d(`review`)})}async reportNoShow(e){await this.#f(`no-show`,async()=>{this.#c(`no-show`,await this.#s(`no-show`,{who:e}))})}async answer(e){let{answering:t}=this.store.state;if(!e)return this.refuse(`answer`,this.words().reviewing.answerMissing);await this.#f(`answer`,async()=>{let n={answer:e,reviewId:t?.id},r=await this.#h(`/sessions/${this.#i}/review/answer`,n),i=this.store.state.reviews.map(e=>e.id===r.id?r:e);this.store.update({reviews:i}),this.#d(`answer`)})}async cancelSeries(e,t,n){let{session:r,booking:i,plan:a}=this.store.state,o=this.words();if(!e.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);await this.#f(`series`,async()=>{let s=await this.#t.plan();if(JSON.stringify(s)!==JSON.stringify(a))return this.store.update({plan:s,notice:o.cancelling.costChanged});let c={from:r?.startTime,reason:e,type:n,refundRequested:t},{kept:l}=await this.#h(`/series/${i?.seriesId}/cancel`,c);if(await this.#t.read(),this.#d(`series`),l.length){let e=p(this.context,l.length,o.plurals.dates);this.store.update({notice:`${o.done.series} ${o.series.kept(e)}`})}let u=this.store.state.session;u?.status===`cancelled`&&this.#u(`cancel`,u)})}get#i(){return this.#e??``}async#a(e,t,n){let{session:r}=this.store.state;await this.#f(e,async()=>{let i=ge[e];if(this.context.options.optimistic&&r&&i&&this.store.update({session:{...r,status:i}}),!t)return this.#c(e,await this.#s(e,n));await this.#o(t),await this.#t.read();let a=this.store.state.session;a&&a.status===i?this.#c(e,a):this.store.update({dialog:null})})}async#o(t){let{signal:n}=this.context,r=Promise.resolve(t());if(await Promise.race([r.then(()=>!1),s(P,n).then(()=>!0)]))throw r.then(()=>n.aborted?void 0:this.load(),()=>void 0),new e(0,`timeout`)}#s(e,t){let{tag:n}=this.store.state;return this.#h(`/sessions/${this.#i}/${e}`,t,{ifMatch:n,onTag:e=>this.store.update({tag:e})})}#c(e,t){this.store.update({session:t}),this.#d(e),e in F&&this.#u(e,t),this.#t.readRest(t).catch(()=>void 0)}async#l(e){let{session:t}=this.store.state;await this.#h(`/group-sessions/${t?.bookingId}/leave`,e?{reason:e}:{}),this.store.update({phase:`left`}),this.#d(`leave`),t&&this.#u(`cancel`,t)}#u(e,t){this.context.emit(F[e],{session:t}),this.context.flow.sessionChanged(t)}#d(e){let t=this.words().done[e];this.store.update({dialog:null,notice:t,error:null,fieldErrors:{},now:Date.now()}),this.context.announce(t),this.#t.schedule()}async#f(t,n){let{session:r,tag:i,doing:a}=this.store.state;if(a)return;let{signal:o}=this.context;this.store.update({doing:t,error:null,fieldErrors:{},notice:null});try{await n()}catch(n){if(o.aborted)return;this.store.update({session:r,tag:i}),await this.#p(t,e.ofPage(n))}finally{if(!o.aborted){this.store.update({doing:null,waiting:null});let e=this.#r;this.#r=null,e&&this.changed(e)}}}async#p(e,t){let n=e===`start`||e===`complete`||e===`cancel`?e:`session`;if(t.code!==`page`&&this.context.telemetry.failed(t),this.context.emit(`failed`,{error:t,during:n}),t.status===412||t.code===`invalid_transition`){await this.#t.read().catch(()=>void 0);let t=E(this.store.state);({...t,series:t.cancelSeries,"no-show":t.noShow.length>0})[e]||this.store.update({dialog:null})}be.has(t.code)&&(this.store.update({dialog:null}),await this.#t.read().catch(()=>void 0)),this.store.update({error:t,fieldErrors:ve(t.details,this.words().form.line,this.context.words.reason)})}async#m(t,n){let{signal:r}=this.context;try{await n()}catch(n){!r.aborted&&this.store.state.dialog===t&&this.store.update({error:e.ofPage(n)})}}#h(e,t,n={}){let{signal:r}=this.context;return this.#n.send(`${e} ${n.ifMatch??``}`,t,i=>this.context.client.post(e,t,{...n,key:i,signal:r,onWaiting:this.#t.onWaiting}))}},Se=a`
  .status {
    padding: 2px 12px;
    border-radius: 99px;
    border: 1px solid currentColor;
    font-size: 0.85em;
    font-weight: 600;
    color: var(--accent);
  }
  .status.completed {
    color: var(--success);
  }
  .status.cancelled {
    color: var(--danger);
  }
  .session dd,
  .review p {
    white-space: pre-line;
  }
  .written {
    display: block;
  }
  blockquote {
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    white-space: pre-line;
  }
  .session .items {
    list-style: disc;
    padding-inline-start: 1.2em;
  }
  .session .actions:empty {
    display: none;
  }
  .session [aria-disabled] {
    opacity: 0.6;
    cursor: default;
  }
  .star {
    letter-spacing: 0.1em;
  }
  .history ol {
    list-style: none;
    margin-block-start: 10px;
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    display: grid;
    gap: 10px;
  }
  .history time {
    display: block;
  }
  .rating > div {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .rating label {
    position: relative;
    display: grid;
    cursor: pointer;
  }
  .rating input {
    position: absolute;
    inset: 0;
    opacity: 0;
    min-block-size: 0;
    cursor: pointer;
  }
  .rating label span {
    padding: 8px 12px;
    border: 1px solid var(--control);
    border-radius: var(--radius);
  }
  .rating :checked + span {
    border-color: var(--accent);
    background: var(--tint);
    box-shadow: inset 0 0 0 1px var(--accent);
    font-weight: 600;
  }
  .rating :focus-visible + span {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  dialog {
    margin: auto;
    inline-size: min(560px, calc(100vw - 24px));
    max-block-size: calc(100dvh - 24px);
    overflow: auto;
    padding: calc(var(--gap) * 1.25);
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.4);
    overflow-wrap: anywhere;
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 0.5);
  }
  h2:focus {
    outline: none;
  }
  dialog textarea {
    inline-size: 100%;
  }
  @media (forced-colors: active) {
    .rating :checked + span {
      forced-color-adjust: none;
      background: Highlight;
      color: HighlightText;
    }
  }
`;function I({words:e},t){return n`<span class="star" role="img" aria-label=${e.reviewing.rated(String(t))}
    >${`★`.repeat(t)}${`☆`.repeat(5-t)}</span
  >`}function L({state:e,context:t}){return e.waiting?l({words:t.words,now:Date.now()},e.waiting):r}function R(e,t){return n`<p class="message danger" part="message" role="alert">${z(e,t)}</p>`}function z(e,t){if(!t)return``;let{words:n,context:r,state:i}=e;return t.code===`page`?t.message||n.page:t.code===`too_early`&&i.session?`${n.problems.too_early} ${n.startFrom(m(e,w(i.session)))}`:n.problems[t.code]??o(r.words,t)}var B=5e3,V=50,H=500,U={isOptional:!1,rows:2,maxLength:1e3},Ce=[1,2,3,4,5];function we(e,t){switch(t){case`complete`:return Te(e);case`cancel`:return Ee(e);case`review`:return Oe(e);case`answer`:return ke(e);case`no-show`:return Ae(e);case`series`:return De(e)}}function W(e,{title:t,content:i,confirm:a,keep:o,submit:s}){let{state:c,words:l,flow:u}=e,d=c.doing!==null,f=e=>{e.preventDefault(),d||s(new FormData(e.target))},p=d?`true`:r;return n`<form class="form" novalidate aria-busy=${d?`true`:`false`} @submit=${f}>
    <h2 id="dialog-title">${t}</h2>
    ${c.notice?n`<p class="message warning" part="message" role="alert">${c.notice}</p>`:r}
    ${i} ${L(e)} ${c.error?R(e,c.error):r}
    <div class="actions">
      ${a?n`<button class="primary" part="button primary" aria-disabled=${p}>${d?l.working:a}</button>`:r}
      <button type="button" part="button" @click=${()=>u.closeDialog()}>${o}</button>
    </div>
  </form>`}function Te(e){let{words:t,flow:r}=e,{form:i}=t,a={isOptional:!0,rows:3,maxLength:B};return W(e,{title:t.complete,content:n`${J(e,`notes`,i.notes,{...a,hint:i.notesHint})}
    ${J(e,`actionItems`,i.actionItems,{...a,hint:i.actionItemsHint,maxLength:26e3})}
    ${Y(e,i.rating,!0)}
    ${J(e,`feedback`,i.feedback,{...a,hint:i.feedbackHint})}`,confirm:t.complete,keep:i.keep,submit:e=>{let[t,n]=[Q(e,`notes`),Q(e,`feedback`)],[a,o]=[Number(e.get(`rating`)),_e(Q(e,`actionItems`))],s=o.findIndex(e=>e.length>H)+1;return s?r.refuse(`actionItems`,i.itemTooLong(s,H)):o.length>V?r.refuse(`actionItems`,i.tooManyItems(V)):r.complete({...t&&{notes:t},...a&&{rating:a},...n&&{feedback:n},...o.length&&{actionItems:o}})}})}function Ee(e){let{words:t,state:i,flow:a}=e,{cancelling:o}=t,{quote:s}=i,c=S(i)===`mentee`&&C(i),l={title:c?o.leaveTitle:o.title,keep:o.keep,submit:e=>a.cancel(Q(e,`reason`),e.has(`refund`),Z(e))};if(!s)return W(e,{...l,content:n`<p role="status">${o.loading}</p>`,confirm:null});if(!s.allowed){let r=s.policy?o.closed:t.noCancelling;return W(e,{...l,content:n`<p>${r}</p>`,confirm:null})}let u=s.fee.amount?o.confirmFee(y(e,s.fee)):o.confirm;return W(e,{...l,content:n`<dl class="summary" part="summary" aria-live="polite">
        <div><dt>${o.fee}</dt><dd>${s.fee.amount?y(e,s.fee):o.noFee}</dd></div>
        ${s.refund.amount?n`<div><dt>${o.refund}</dt><dd>${y(e,s.refund)}</dd></div>`:r}
      </dl>
      ${s.freeUntil&&!s.late&&!k(s)?n`<p class="muted">${t.freeUntil(m(e,Date.parse(s.freeUntil)))}</p>`:r}
      ${s.creditReturned===null?r:n`<p>${_(e,s)}</p>`}
      ${s.cancelledBy!==`mentee`&&s.refund.amount?n`<p class="muted">${C(i)?o.refundToAll:o.refundToMentee}</p>`:r}
      ${c?J(e,`reason`,o.reason,{...U,hint:o.leaveHint,isOptional:!0}):K(e)}
      ${s.cancelledBy===`mentee`&&!c&&s.refund.amount?q(o.wantRefund(y(e,s.refund))):r}`,confirm:c&&!s.fee.amount?o.confirmLeave:u})}function De(e){let{words:t,state:i,flow:a}=e,{series:o,cancelling:s}=t,{plan:c}=i,l={title:o.cancelTitle,keep:o.keep,submit:e=>a.cancelSeries(Q(e,`reason`),e.has(`refund`),Z(e))};if(!c){let t=i.error?r:n`<p role="status">${s.loading}</p>`;return W(e,{...l,content:t,confirm:null})}if(!c.items.length)return W(e,{...l,content:n`<p>${o.nothing}</p>`,confirm:null});let u=S(i)===`mentee`,d=c.refund?.amount?y(e,c.refund):null;return W(e,{...l,content:n`<p>${o.affected(p(e.context,c.items.length,t.plurals.dates))}</p>
      <ul class="dates" tabindex="0" aria-label=${o.dates}>
        ${c.items.map(({startTime:t,isDraft:i})=>n`<li>${m(e,Date.parse(t))} ${i?n`<small>(${o.draft})</small>`:r}</li>`)}
      </ul>
      <dl class="summary" part="summary">
        <div><dt>${s.fee}</dt><dd>${c.fee?.amount?y(e,c.fee):s.noFee}</dd></div>
        ${d?n`<div><dt>${s.refund}</dt><dd>${d}</dd></div>`:r}
      </dl>
      ${c.credits?n`<p>${p(e.context,c.credits,t.plurals.credits)}</p>`:r} ${K(e)}
      ${u&&d?q(s.wantRefund(d)):r}`,confirm:o.confirm})}function Oe(e){let{words:t,state:r,flow:i}=e,{reviewing:a}=t;return W(e,{title:a.title(r.session?.mentor?.name??``),content:n`${Y(e,a.rating,!1)}
    ${J(e,`comment`,a.comment,{hint:a.commentHint,isOptional:!0,rows:4,maxLength:B})}`,confirm:a.send,keep:t.form.keep,submit:e=>i.review(Number(e.get(`rating`))||null,Q(e,`comment`))})}function ke(e){let{words:t,state:i,flow:a}=e,{reviewing:o}=t;return W(e,{title:o.answerTitle,content:n`${i.answering?.comment?n`<blockquote dir="auto">${i.answering.comment}</blockquote>`:r}
    ${J(e,`answer`,o.answer,{hint:o.answerHint,isOptional:!1,rows:4,maxLength:B})}`,confirm:o.sendAnswer,keep:t.form.keep,submit:e=>a.answer(Q(e,`answer`))})}function Ae(e){let{words:t,state:i,flow:a}=e,{absence:o}=t,{noShow:s}=E(i),c=e=>i.session?.[e]?.name??o[e],l=s.length===1,[u]=s;return W(e,{title:u&&l?o.title(c(u)):o.titleEither,content:l?n`<p>${o.cancels} ${G(e,u,c)}</p>`:n`<p>${o.cancels}</p>
          <fieldset class="fields">
            <legend class="visually-hidden">${o.titleEither}</legend>
            ${s.map(t=>n`<label class="check"
                  ><input type="radio" name="who" value=${t} aria-invalid=${i.fieldErrors.who?`true`:r} />
                  <span>${c(t)}<br /><small class="muted">${G(e,t,c)}</small></span></label
                >`)}
            ${X(`who`,i.fieldErrors.who)}
          </fieldset>`,confirm:s.length?o.confirm:null,keep:t.form.keep,submit:e=>{let t=l?u:e.get(`who`);return t?a.reportNoShow(t):a.refuse(`who`,o.titleEither)}})}function G(e,t,n){let{absence:r,cancelling:i}=e.words;if(t===`mentor`)return C(e.state)?i.refundToAll:r.refundAll;let a=le(e.state);return a?e.state.booking?.bundlePurchaseId?a.percent?i.creditSpent:r.owesNothing:a.fee.amount?r.owes(n(t),y(e,a.fee)):r.owesNothing:``}function K(e){let{reason:t,reasonHint:i,type:a,types:o}=e.words.cancelling,s=oe(S(e.state));return n`${s.length?n`<div class="field">
        <label for="type">${a}</label>
        <select id="type" name="type">
          ${s.map(e=>n`<option value=${e}>${o[e]}</option>`)}
        </select>
      </div>`:r}
  ${J(e,`reason`,t,{...U,hint:i})}`}function q(e){return n`<label class="check"><input type="checkbox" name="refund" checked /> ${e}</label>`}function J(e,t,i,a){let{words:o,state:s}=e,c=s.fieldErrors[t];return n`<div class="field">
    <label for=${t}>${i} ${a.isOptional?n`<span class="muted">(${o.form.optional})</span>`:r}</label>
    <textarea
      id=${t}
      name=${t}
      rows=${a.rows}
      maxlength=${a.maxLength}
      dir="auto"
      ?required=${!a.isOptional}
      ?readonly=${s.doing!==null}
      aria-invalid=${c?`true`:`false`}
      aria-describedby="${t}-hint ${t}-error"
    ></textarea>
    <p class="muted" id="${t}-hint">${a.hint}</p>
    ${X(t,c)}
  </div>`}function Y(e,t,i){let{words:a,state:o}=e,s=o.fieldErrors.rating,c=(e,t,i)=>n`<label><input type="radio" name="rating" value=${e||``} ?checked=${!e}
      aria-label=${i} aria-invalid=${s&&e===1?`true`:r} /><span aria-hidden="true">${t}</span></label>`;return n`<fieldset class="rating" aria-describedby="rating-error">
    <legend>${t} ${i?n`<span class="muted">(${a.form.optional})</span>`:r}</legend>
    <div>
      ${Ce.map(e=>c(e,n`${e} ★`,`${e} – ${a.form.stars(e)}`))}
      ${i?c(0,a.form.noRating,a.form.noRating):r}
    </div>
    ${X(`rating`,s)}
  </fieldset>`}function X(e,t){return n`<p class="error" id="${e}-error" role=${t?`alert`:r}>${t?.join(` `)??r}</p>`}function Z(e){return e.get(`type`)??void 0}function Q(e,t){return String(e.get(t)??``).trim()}function je(e){let{state:i,words:a,context:o,flow:s}=e,{session:c,phase:l}=i;if(l===`failed`){let{signInUrl:r}=o.options;return n`<div class="message danger" part="message" role="alert">
      <p>${z(e,i.error)}</p>
      ${i.error?.status===401?t(r,o.words.form.signInLink,()=>o.flow.signIn()):n`<button part="button" @click=${()=>s.load()}>${a.reload}</button>`}
    </div>`}let u=E(i),d=c?.status??o.options.sessionStatus;return n`<section class="result session" part="session" aria-labelledby="session-title" aria-busy=${l===`loading`}>
    <div class="head">
      <h2 id="session-title" tabindex="-1" data-focus>${c?.title??a.untitled}</h2>
      ${d&&l!==`left`?Ne(e,d):r}
    </div>
    ${l===`preparing`?n`<p class="muted" role="status">${a.preparing}</p>`:r}
    ${i.notice&&!i.dialog?n`<p class="message" part="message">${i.notice}</p>`:r}
    ${i.error&&!i.dialog?R(e,i.error):r}
    ${l===`ready`&&!S(i)?n`<div><button part="button" @click=${()=>s.load()}>${a.reload}</button></div>`:r}
    ${i.dialog?r:L(e)}
    ${c?Pe(e,c,u):n`<span class="skeleton tall" aria-hidden="true"></span>`}
    <dialog
      part="dialog"
      aria-labelledby="dialog-title"
      @close=${e=>Me(e.currentTarget,s)}
    >
      ${i.dialog?we(e,i.dialog):r}
    </dialog>
  </section>`}function Me(e,t){e.open||t.closeDialog()}function Ne({words:e},t){let r=e.status[t]??t;return n`<span class="status ${t}" part="status">${r}</span>`}function Pe(e,t,i){let{context:a,state:o}=e,s=a.options.showSessionActions&&o.phase===`ready`;return n`${s?$(e,t,i):r} ${Fe(e,t)}
  ${Re(e,s)} ${Be(e,t)}`}function $(e,t,i){let{flow:a,words:o,state:s}=e,c=i.startsLater&&w(t),l=t.location===null||t.location.kind===`online`,u=e=>()=>a.openDialog(e),d=s.doing!==null,f=(e,t,i,a=!1)=>n`<button
      part=${a?`button primary`:`button`}
      class=${a?`primary`:``}
      data-action=${e}
      aria-disabled=${d?`true`:r}
      @click=${()=>d||i()}
    >
      ${s.doing===e&&!s.dialog?o.working:t}
    </button>`,p=[i.join&&n`<a class="button primary" part="button primary" href=${i.join} target="_blank" rel="noopener noreferrer"
        >${o.join} <span class="visually-hidden">${o.newWindow}</span></a
      >`,i.start&&f(`start`,o.start,()=>a.start(),!i.join),i.complete&&f(`complete`,o.complete,u(`complete`),!i.join),i.review&&f(`review`,o.review,u(`review`),!0),i.cancel&&f(`cancel`,o.cancel,u(`cancel`)),i.leave&&f(`leave`,o.leave,u(`cancel`)),i.noShow.length&&f(`no-show`,o.noShow,u(`no-show`)),i.cancelSeries&&f(`series`,o.cancelSeries,u(`series`))].filter(Boolean),h=c?(l?o.startAndJoinFrom:o.startFrom)(m(e,c)):``;return!p.length&&!h?r:n`<div class="actions">${p}</div>
    ${h?n`<p class="muted">${h}</p>`:r}`}function Fe(e,t){let{words:a,state:o,locale:s,zone:c}=e,{booking:l}=o,u=S(o),d=u===`mentor`?t.mentee?.name:t.mentor?.name,f=u===`operator`?[t.mentor?.name,t.mentee?.name].filter(Boolean).join(`, `):d,p=h(Date.parse(t.startTime),Date.parse(t.endTime),s,c),m=l&&(l.bundlePurchaseId?a.details.credit:y(e,l.price)),g=(e,t)=>t?n`<div><dt>${e}</dt><dd>${t}</dd></div>`:r,_=e=>e?n`<span class="written" dir="auto">${e}</span>`:r,v=t.actionItems??[];return n`<dl class="summary" part="summary">
    ${g(a.details.with,f??(C(o)?a.details.group:null))}
    ${g(a.details.when,n`${p}<br /><span class="muted">${i(c,s,Date.parse(t.startTime))}</span>`)}
    ${g(a.details.where,Ie(e,t))} ${g(a.details.price,m)}
    ${g(a.details.terms,Le(e,t))} ${g(a.details.about,t.description&&_(t.description))}
    ${g(a.details.notes,t.notes&&_(t.notes))}
    ${g(a.details.actionItems,v.length?n`<ul class="items">${v.map(e=>n`<li dir="auto">${e}</li>`)}</ul>`:null)}
    ${g(a.details.rating,t.rating?I(e,t.rating):null)}
    ${g(a.details.feedback,t.feedback&&n`${_(t.feedback)}<span class="muted">${a.details.private}</span>`)}
  </dl>`}function Ie({words:e,context:t},r){let{location:i}=r;return!i||i.kind===`online`?t.words.form.online:i.value?i.kind===`phone`?n`<a href="tel:${i.value.replace(/[^\d+]/g,``)}">${i.value}</a>`:D(i.value)?n`<a href=${i.value} rel="noopener">${i.value}</a>`:i.value:e.details.sharedOtherwise}function Le(e,t){let{words:n,state:r}=e;if(t.status!==`scheduled`||r.phase===`left`||S(r)!==`mentee`||!r.quote)return null;if(!r.quote.allowed)return n.noCancelling;let{freeUntil:i,late:a,fee:o}=r.quote;return k(r.quote)?n.alwaysFree:a?o.amount?`${n.cancelling.fee}: ${y(e,o)}`:n.cancelling.noFee:i?n.freeUntil(m(e,Date.parse(i))):null}function Re(e,t){let{words:r,state:i}=e,{reviews:a,permit:o}=i;return o?n`<p class="muted">${r.reviewing.until(m(e,Date.parse(o.expiresAt)))}</p>`:n`${a.map((n,r)=>ze(e,n,`review-${r}`,t))}`}function ze(e,t,i,a){let{words:o,state:s,flow:c}=e,{reviewing:l}=o,u=s.reviews.length===1,d=S(s)===`mentee`?l.yours:u?l.theirs:l.by(t.reviewer),f=a&&t.answeredAt===null&&S(s)===`mentor`;return n`<section class="review" aria-labelledby=${i}>
    <h3 id=${i}>${d}</h3>
    <p>${I(e,t.rating)}</p>
    ${t.comment?n`<p dir="auto">${t.comment}</p>`:r}
    ${t.answer?n`<p class="muted">${l.answer}: <bdi>${t.answer}</bdi></p>`:r}
    ${t.hidden?n`<p class="muted">${l.hidden(t.hiddenReason??``)}</p>`:r}
    ${f?n`<div class="actions">
          <button part="button" data-action="answer" aria-describedby=${i} @click=${()=>c.openDialog(`answer`,t)}>
            ${o.answer}
          </button>
        </div>`:r}
  </section>`}function Be(e,t){return n`<details class="history" part="history">
    <summary>${e.words.history.title}</summary>
    <ol>
      ${me(e.state).map(i=>n`<li>
          <b>${Ve(e,t,i.kind)}</b>
          <time datetime=${i.at} class="muted">${m(e,Date.parse(i.at))}</time>
          ${i.kind===`cancelled`?He(e,t):r}
        </li>`)}
    </ol>
  </details>`}function Ve(e,t,n){let{history:r,status:i}=e.words;if(n!==`cancelled`)return r[n];let a=t.cancellation?.cancelledBy;if(!a)return i.cancelled;let o=a===`mentor`?t.mentor?.name:a===`mentee`?t.mentee?.name:void 0;return t.cancellation?.type===`not_held`?r.notHeld:t.cancellation?.type===`no_show`&&o?r.noShow(o):a===S(e.state)?r.cancelled.you:a===`operator`||a===`system`?r.cancelled[a]:o?r.cancelledBy(o):i.cancelled}function He(e,{cancellation:t}){if(!t)return r;let{history:i}=e.words,{reason:a,fee:o,refund:s,late:c}=t,l=[o?.amount?`${i.fee(y(e,o))}${c?` (${i.late})`:``}`:null,s?.amount?i.refund(y(e,s)):null,_(e,t),a?i.reason(a):null];return n`${l.map(e=>e?n`<p class="muted">${e}</p>`:r)}`}var Ue=class{#e;constructor(e,t){this.context=e,this.words=t,c(e.element,e.signal,Se),this.#e=new xe(e,t),u(e.element,e.signal,this.#e.store),new We(e,this.#e)}render(e,t){queueMicrotask(()=>this.#e.open(e));let{context:n,words:r}=this,i=this.#e,{zone:a}=n.store.state;return je({context:n,flow:i,state:i.store.state,words:r(),locale:t,zone:a})}changed(e){this.#e.changed(e)}},We=class{#e=!1;constructor(e,t){this.context=e,this.flow=t,e.element.addController(this),e.signal.addEventListener(`abort`,()=>e.element.removeController(this))}hostUpdate(){this.#e=this.#t?.activeElement!=null}hostUpdated(){let e=this.#t?.querySelector(`.session dialog`);if(!e)return;let t=this.flow.store.state.dialog!==null;t&&!e.open&&e.showModal(),!t&&e.open&&e.close(),this.#e&&!this.#t?.activeElement&&this.#t?.querySelector(`.session [data-focus]`)?.focus()}get#t(){return this.context.element.shadowRoot}};export{Ue as SessionPart};