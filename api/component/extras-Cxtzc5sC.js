import{$ as e,ApiError as t,B as n,E as r,I as i,J as a,N as o,O as s,P as c,Q as l,S as u,Y as d,_t as f,b as p,dt as m,et as h,f as g,gt as _,ht as v,it as y,l as ee,m as te,mt as b,n as x,nt as S,p as C,pt as ne,r as w,rt as re,t as ie,tt as ae,x as T,yt as oe}from"./session-booking.js";import{Keys as E,a as se,creditText as ce,i as D,mapSome as le,r as O}from"./enhanced-Ca8t5wAW.js";var ue=7;function de(e,t){let{calendar:n,mentorId:r,zone:i}=e;if(!n.to||n.error||n.isLoading&&!n.slots.length)return null;let o=p(n.slots,r,t),s=re(a(d(t,i),ue),i);return{next:o[0]?T(o[0]):null,inWeek:n.to>=s?o.filter(e=>T(e)<s).length:null}}function fe(t,n,r,i){let a=(Date.parse(d(t,i))-Date.parse(d(n,i)))/864e5;return a<0||a>1?h(r,{weekday:`short`,day:`numeric`,month:`short`,hour:`numeric`,minute:`2-digit`,timeZone:i}).format(t):`${new Intl.RelativeTimeFormat(r,{numeric:`auto`}).format(a,`day`)}, ${e(t,r,i)}`}function pe(e,t,n){let{state:i}=e.store,a=Date.now(),o=de(i,a);if(!o)return b;let{next:s,inWeek:c}=o;return s===null?_`<span class="availability none" part="availability">${t.availability.none}</span>`:_`<span class="availability" part="availability"
      >${t.availability.next(fe(s,a,n,i.zone))}</span
    >
    ${c?_`<span class="muted">${r(e,c,t.plurals.weekly)}</span>`:b}`}var me=oe`
  .availability {
    color: var(--success);
    font-weight: 600;
  }
  .availability.none {
    color: var(--warning);
  }
  .series .field {
    grid-template-columns: minmax(0, 1fr);
    min-inline-size: 0;
  }
  section.series {
    display: grid;
    gap: 8px;
  }
  .groups,
  .groups ul,
  .group {
    display: grid;
    gap: 8px;
  }
  .group {
    gap: 2px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .group form {
    margin-block: 8px;
  }
`,k=20,he=6e4,ge=1e3,[A,j]=[`join`,`waitlist/accept-offer`];function M(e,t=!1){return e.joined?`joined`:e.payment?.status===`awaiting`?`unpaid`:e.waitlistPosition===null?t?`own`:e.full?`full`:`open`:e.waitlistPosition<=e.seatsOffered?`kept`:`waiting`}var _e=class{#e;#t;#n;#r;constructor(e,t){this.context=e,this.words=t,this.store=new x({groups:null,hasMore:!1,bundles:[],quotes:new Map,keptUntil:new Map,busy:null,done:null,failure:null,form:null,answers:new Map,fieldErrors:null,paying:null}),this.isAsked=!1,this.#n=k,this.#r=0,this.#e=new E(e.client),this.#t=new C(e.signal);let n=()=>{this.isAsked&&Date.now()-this.#r>he&&this.readAgain()};te(e.signal,n),addEventListener(`online`,n,{signal:e.signal})}ask(){!this.isAsked&&this.context.client.tokens.canSignIn&&(this.isAsked=!0,queueMicrotask(()=>this.readAgain()))}sessionChanged(e){this.store.state.groups?.some(t=>t.id===e.bookingId)&&this.readAgain()}isOwn(e){let{subject:t}=this.context.client.tokens,{offers:n}=this.context.store.state;return n.some(({mentor:n})=>n.id===e.mentorProfileId&&n.userId===t)}bundlesFor({courseId:e,durationMinutes:t}){return this.store.state.bundles.filter(n=>n.courseId===e&&(n.durationMinutes??t)===t)}readAgain(){this.store.state.busy||this.#c().catch(()=>void 0)}showMore(){this.#n+=k,this.readAgain()}look(e){let t=M(e);(t===`joined`?this.#f(e):t===`kept`?this.#p(e):null)?.catch(t=>this.#_(e,t))}join(e,t){return this.#i(e,`join`,A,t)}accept(e,t){return this.#i(e,`accept`,j,t)}wait(e){return this.#h(e,`wait`,async()=>{let{position:t}=await this.#m(`${N(e)}/waitlist`,{});return this.words().groups.waiting(t)})}unwait(e){return this.#h(e,`unwait`,async()=>{let t={method:`DELETE`,key:ne(),signal:this.context.signal};return await this.context.client.request(`${N(e)}/waitlist`,t),this.words().groups.stopped})}answer({id:e},t){this.store.update(n=>({answers:new Map([...n.answers,[e,t]])}))}leave(e,n){return this.#h(e,`leave`,async()=>{let r=n&&await this.#f(e);if(r&&n&&(r.fee.amount>n.fee.amount||n.creditReturned===!0&&!r.creditReturned||!r.allowed))throw t.ofPage(this.words().cancelling.costChanged);let i=n&&await this.#s(e);return await this.#m(P(e),{}),i&&this.context.emit(`cancelled`,{session:i}),this.words().done.leave})}#i(e,t,n,r){return this.#h(e,t,async()=>{let{form:t}=this.store.state,{options:i,words:a}=this.context,[o,s]=[e.questions??[],this.store.state.answers.get(e.id)??{}],c=t?.missingAnswers({words:a,locale:i.locale},o,s);if(c)return this.#a(e,c);let l={...r?{bundlePurchaseId:r}:{expectedPrice:e.price},expectedCancellation:e.cancellationPolicy,...t?.answersIn(o,s)},u=await this.#m(`${N(e)}/${n}`,l);return!u.joined&&u.payment?(this.context.emit(`unpaid`,{booking:u,session:null,payment:u.payment}),this.words().groups.unpaid):(await this.#o(u),this.words().groups.done)})}async#a({id:e},t){this.store.update({fieldErrors:{id:e,errors:t}});let{element:n}=this.context;return await n.updateComplete,n.shadowRoot?.querySelector(`[data-group="${CSS.escape(e)}"] [aria-invalid='true']`)?.focus(),null}async#o(e){let t=await this.#s(e).catch(()=>null);t&&this.context.emit(`booked`,{booking:e,session:t})}async#s({sessionId:e}){let{signal:n}=this.context;for(;;)try{return await this.context.client.get(`/sessions/${e}`,{},{signal:n})}catch(e){if(!(e instanceof t)||e.code!==`session_pending`)throw e;await m(e.retryAfter?e.retryAfter*1e3:ge,n)}}async#c(){let{client:e,options:t,store:n}=this.context,r=this.#t.next(),{course:i,offers:a}=n.state,o=t.mentorId??(i?null:a[0]?.mentor.id),s=[],c=null,l=Date.now();do{let n={courseId:t.courseId,mentorProfileId:o,limit:k,cursor:c},i=await e.get(`/group-sessions`,n,{signal:r});s.push(...i.items),c=i.nextCursor}while(c&&s.length<this.#n);this.#r=l;let u=s.filter(e=>!e.cancelledAt),d=this.store.state.groups?.filter(e=>M(e)===`unpaid`)??[];this.store.update({groups:u,hasMore:c!==null}),this.#l(u);for(let{id:e}of d)this.#u(u.find(t=>t.id===e));if(await this.#d(u),!u.some(e=>e.courseId&&!e.joined))return;let f=await e.get(`/bundles`,{limit:100},{signal:r});this.store.update({bundles:f.items.filter(e=>e.status===`active`)})}#l(e){for(let t of e){if(!t.joined){this.#e.forget(P(t));continue}let e=[A,j].map(e=>`${N(t)}/${e}`).filter(e=>this.#e.isOpen(e));for(let t of e)this.#e.forget(t);e.length&&this.#o(t)}}#u(e){let t=this.words().groups;if(!e||M(e)===`unpaid`)return;let n=e.joined?t.paid:e.payment?.status===`lapsed`?t.lapsed:null;e.joined&&this.#o(e),n&&!this.store.state.busy&&(this.store.update({done:{id:e.id,sentence:n}}),this.context.announce(n))}async#d(e){let{context:t,store:n}=this;if(!n.state.form&&e.some(({questions:e})=>e?.length)&&n.update({form:await t.lazy.form()}),n.state.paying||!e.some(e=>M(e)===`unpaid`))return;let{Paying:r}=await t.lazy.following(),i=new r(t,()=>this.readAgain());w(t.element,t.signal,i.store),n.update({paying:i})}async#f(e){let t=`/sessions/${e.sessionId}/cancellation-quote`,n=await this.context.client.get(t,{},{signal:this.context.signal});return this.store.update(({quotes:t})=>({quotes:new Map([...t,[e.id,n]])})),n}async#p(e){let{signal:t}=this.context;if(M(await this.context.client.get(N(e),{},{signal:t}))!==`kept`)return this.readAgain();let{offer:n}=await this.#m(`${N(e)}/waitlist`,{});if(!n)return this.readAgain();this.store.update(({keptUntil:t})=>({keptUntil:new Map([...t,[e.id,n.expiresAt]])}))}#m(e,t){let{signal:n}=this.context;return this.#e.send(e,t,r=>this.context.client.post(e,t,{key:r,signal:n}))}async#h(e,t,n){if(this.store.state.busy)return;let{id:r}=e;this.store.update({busy:{id:r,action:t},done:null,failure:null,fieldErrors:null});let i=null;try{i=await n()}catch(t){if(this.context.signal.aborted)return;this.#_(e,t)}await this.#c().catch(()=>void 0),this.context.signal.aborted||(this.store.update({busy:null,...i&&{done:{id:r,sentence:i}}}),i&&(this.context.announce(i),t!==`wait`&&t!==`unwait`&&this.context.store.state.calendar.to&&this.context.flow.reloadSlots()))}#g(e,{price:t,cancellation:n}){let r=t?{price:t}:{cancellationPolicy:n??null};this.store.update(({groups:t})=>({groups:t&&t.map(t=>t.id===e?{...t,...r}:t)}))}#_({id:e},n){if(this.context.signal.aborted)return;let r=t.ofPage(n);r.presentTerms&&this.#g(e,r.presentTerms),r.code!==`page`&&(this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`book`}));let i=r.code===`invalid_request`?ee(r.details,this.context.words.reason):{},a=Object.keys(i).some(e=>e.startsWith(y(``)));this.store.update(a?{fieldErrors:{id:e,errors:i}}:{failure:{id:e,error:r}})}};function N({id:e}){return`/group-sessions/${e}`}function P(e){return`${N(e)}/leave`}var F={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},I=e=>(...t)=>({_$litDirective$:e,values:t}),ve=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:ye}=f,L=e=>e,R=()=>document.createComment(``),z=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new ye(r.insertBefore(R(),i),r.insertBefore(R(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=L(e).nextSibling;L(r).insertBefore(e,i),e=t}}}return n},B=(e,t,n=e)=>(e._$AI(t,n),e),be={},xe=(e,t=be)=>e._$AH=t,Se=e=>e._$AH,V=e=>{e._$AR(),e._$AA.remove()},H=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},Ce=I(class extends ve{constructor(e){if(super(e),e.type!==F.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=Se(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=B(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=B(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=B(i[d],a[m]),z(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=B(i[f],a[p]),z(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=H(o,p,m),u=H(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=z(e,i[d]);B(t,a[p]),c[p]=t}else c[p]=B(n,a[p]),z(e,i[d],n),i[t]=null;p++}else V(i[f]),f--}else V(i[d]),d++;for(;p<=m;){let t=z(e,c[m+1]);B(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&V(e)}return this.ut=o,xe(e,c),v}}),we=36e5;function Te(e,t){e.ask();let{groups:n,hasMore:r}=e.store.state;if(!n?.length)return b;let i=e.words(),{zone:a}=e.context.store.state;return _`<section class="groups" part="groups" aria-labelledby="groups-title">
    <h3 id="groups-title">${i.groups.title}</h3>
    <ul>
      ${Ce(n,({id:e})=>e,n=>Ee({groups:e,group:n,words:i,locale:t,zone:a}))}
    </ul>
    ${r?_`<div><button type="button" part="button" @click=${()=>e.showMore()}>${i.groups.more}</button></div>`:b}
  </section>`}function Ee(e){let{groups:t,group:n,words:r,locale:i,zone:a}=e,{failure:s,done:c}=t.store.state,u=M(n,t.isOwn(n)),d=l(Date.parse(n.startTime),Date.parse(n.endTime),i,a),f=[n.mentor?.name,O({words:r,locale:i},n.price),De(e,u)];return _`<li class="group" data-group=${n.id} tabindex="-1" aria-label=${`${n.title??r.details.group}, ${d}`}>
    <b>${n.title??r.details.group}</b>
    <span>${d}</span>
    <span class="muted">${f.filter(Boolean).join(` · `)}</span>
    ${c?.id===n.id?_`<p class="message" part="message">${c.sentence}</p>`:b}
    ${Oe(e,u,d)}
    ${s?.id===n.id?o(`danger`,Ne(e,s.error)):b}
  </li>`}function De({groups:e,group:t,words:n},i){let a=t.capacity-t.seatsTaken-t.seatsOffered;switch(i){case`joined`:return n.groups.joined;case`unpaid`:case`kept`:return n.groups[i];case`waiting`:return n.groups.waiting(t.waitlistPosition??0);default:return t.full?n.groups.full:r(e.context,a,n.plurals.places)}}function Oe(e,t,n){let{groups:r,group:i,words:a}=e,o=_`<span class="visually-hidden">(${n})</span>`,s=e=>{e.target.open&&r.look(i)};switch(t){case`joined`:return _`<details class="leave" @toggle=${s}>
        <summary>${a.leave} ${o}</summary>
        ${Me(e)}
      </details>`;case`unpaid`:return U(e);case`kept`:return _`<details class="kept" @toggle=${s}>
        <summary>${a.groups.takeKept} ${o}</summary>
        ${ke(e)}
      </details>`;case`waiting`:return _`<details class="waiting">
        <summary>${a.groups.unwait} ${o}</summary>
        ${K(e,`unwait`,a.groups.unwait,()=>r.unwait(i),_`<p class="muted">${a.groups.unwaitHint}</p>`)}
      </details>`;case`full`:return _`<details class="full">
        <summary>${a.groups.wait} ${o}</summary>
        ${K(e,`wait`,a.groups.wait,()=>r.wait(i),_`<p class="muted">${a.groups.waitHint}</p>`)}
      </details>`;case`open`:return _`<details class="join">
        <summary>${a.groups.join} ${o}</summary>
        ${G(e,`join`,a.groups.join,e=>r.join(i,e))}
      </details>`;default:return b}}function U(e){let{groups:t,group:n,words:r,locale:i,zone:a}=e,{paying:o}=t.store.state;if(!o||!n.payment)return b;let s=W(e,`leave`,r.leave,()=>t.leave(n,null));return o.render({words:t.context.words,locale:i,zone:a},n.payment,s)}function W({groups:e,group:t,words:n},r,i,a){let{busy:o}=e.store.state;return _`<button type="button" part="button" aria-disabled=${o?`true`:b} @click=${a}>
    ${o?.id===t.id&&o.action===r?n.working:i}
  </button>`}function ke(e){let{groups:t,group:n,words:r,locale:i,zone:a}=e,o=t.store.state.keptUntil.get(n.id);return _`${o?_`<p role="status">${r.groups.keptUntil(c({locale:i,zone:a},Date.parse(o)))}</p>`:b}
    ${G(e,`accept`,r.groups.takeKept,e=>t.accept(n,e))}
    <div class="actions">${W(e,`unwait`,r.groups.decline,()=>t.unwait(n))}</div>`}function G(e,t,n,i){let{groups:a,group:o,words:s,locale:c}=e,l=O({words:s,locale:c},o.price),u=a.bundlesFor(o),d=t=>h(c,{timeZone:e.zone,dateStyle:`medium`}).format(Date.parse(t)),f=[...u.map(({id:e,remainingSessions:t,validTo:n})=>{let i=s.groups.byBundle(r(a.context,t,s.groups.credits));return{id:e,name:n?`${i}, ${s.groups.validUntil(d(n))}`:i}}),{id:``,name:l}];return K(e,t,u.length?n:s.groups.labelFor(n,l),e=>i(String(e.get(`bundle`)??``)),_`
    <p class="muted">${je(e,u.length>0)}</p>
    ${Ae(e)}
    ${u.length?_`<label class="field"
          ><span>${s.groups.payment}</span>
          <select name="bundle">
            ${f.map(({id:e,name:t})=>_`<option value=${e}>${t}</option>`)}
          </select></label
        >`:b}
  `)}function Ae({groups:e,group:t,locale:n}){let{form:r,fieldErrors:i}=e.store.state,a=e.store.state.answers.get(t.id)??{};return r?.renderQuestions({words:e.context.words,locale:n},{questions:t.questions??[],answers:a,errors:i?.id===t.id?i.errors:{},prefix:`answer-${t.id}`,answer:(n,r)=>e.answer(t,{...a,[n]:r})})??b}function je({group:e,words:t,locale:n,zone:r},i){let{groups:a}=t,o=e.cancellationPolicy;if(!o)return a.noLeaving;let s=!e.price.amount&&!i;if(!o.lateFeePercent||s)return a.alwaysFree;let l=Date.parse(e.startTime)-o.windowHours*we,u=new Intl.NumberFormat(n,{style:`percent`}).format(o.lateFeePercent/100),d=l>Date.now()?`${a.freeUntil(c({locale:n,zone:r},l))} ${a.feeAfter(u)}`:a.lateFee(u);return i?`${d} ${a.lateCredit}`:d}function Me(e){let{groups:t,group:n,words:r,locale:i}=e,a=t.store.state.quotes.get(n.id);if(!a)return _`<p role="status">${r.cancelling.loading}</p>`;if(!a.allowed)return _`<p>${r.groups.noLeaving}</p>`;let{fee:o,refund:s}=a,c=[`${o.amount?`${r.cancelling.fee}: ${O({words:r,locale:i},o)}`:r.cancelling.noFee}.`,s.amount?`${r.cancelling.refund}: ${O({words:r,locale:i},s)}.`:``,ce(e,a)],l=_`<p role="status">${c.filter(Boolean).join(` `)}</p>`;return K(e,`leave`,r.cancelling.confirmLeave,()=>t.leave(n,a),l)}function K({groups:e,group:t,words:n},r,i,a,o){let{busy:s}=e.store.state,c=s?.id===t.id&&s.action===r?n.working:i;return ie({content:o,confirm:c,isBusy:s!==null,submit:a})}function Ne({groups:e,words:t},n){return n.code===`page`?n.message:t.groups.problems[n.code]??t.problems[n.code]??s(e.context.words,n)}var q=864e5,Pe={everyWeeks:0,ends:`count`,count:4,until:``,skip:!0};function Fe(e){let{everyWeeks:t,ends:n,count:r,until:i,skip:a}=e;return t?{...n===`count`?{count:r}:{until:i},everyWeeks:t,onConflict:a?`skip`:`fail`}:null}function J(e,t,n){if(!e.everyWeeks)return null;let r=X(e,d(t,n)),i=!(r>=2&&r<=52);return e.ends===`count`?i||!Number.isInteger(r)?`badCount`:null:i?r>52?`tooMany`:`tooFew`:null}function Y(e,t,n){if(!e.everyWeeks||J(e,t,n))return[];let r=d(t,n),i=t+S(t,n)-Date.parse(`${r}T00:00:00Z`);return Array.from({length:X(e,r)},(o,s)=>s===0?{start:t,exists:!0}:Ie(a(r,s*7*e.everyWeeks),i,n))}function X({ends:e,count:t,until:n,everyWeeks:r},i){if(e===`count`)return t;let a=(Date.parse(`${n}T00:00:00Z`)-Date.parse(`${i}T00:00:00Z`))/q;return Math.floor(a/(7*r))+1}function Ie(e,t,n){let r=Date.parse(`${e}T00:00:00Z`)+t,[i]=ae(r,n);return i===void 0?{start:r-S(r-q,n),exists:!1}:{start:i,exists:!0}}var Le=3,Re=6e4,ze=[0,1,2,3,4],Be={slot_taken:[`busy`],outside_hours:[`outside_hours`,`time_off`],too_soon:[`too_soon`],beyond_horizon:[`beyond_horizon`],booking_limit:[`limit`],no_such_time:[`no_such_time`]},Z={...Pe,isWithdrawing:!1,error:null,checks:new Map},Ve=class{#e;#t;constructor(e,t){this.context=e,this.words=t,this.store=new x(Z),this.#e=new E(e.client),this.#t=new C(e.signal),e.store.subscribe((e,t)=>{(e.slot!==t.slot||e.zone!==t.zone||e.slotMentorId!==t.slotMentorId)&&(this.store.update(e.slot?{checks:new Map}:Z),this.#u())},e.signal)}body(){let e=Fe(this.store.state);return e?{recurrence:e,timeZone:this.context.store.state.zone}:{}}sessions(){let{slot:e,zone:t}=this.context.store.state,n=e?Y(this.store.state,Date.parse(e.startTime),t):[],{skip:r}=this.store.state,i=n.filter(e=>!r||!Q(this.#o(e,n)));return Math.max(i.length,1)}hasMistake(){let{slot:e,zone:t}=this.context.store.state;return e!==null&&J(this.store.state,Date.parse(e.startTime),t)!==null}render(){let{context:e,store:t}=this,{slot:r,zone:o}=e.store.state;if(!r)return b;let{repeat:s}=this.words(),{everyWeeks:c,ends:l,count:u,until:f,skip:p}=t.state,m=Date.parse(r.startTime),h=J(t.state,m,o),g=d(m,o),v=h?`true`:`false`;return _`<fieldset class="fields series" part="series">
      <legend class="visually-hidden">${s.title}</legend>
      <div class="field">
        <label for="series-every">${s.title}</label>
        <select id="series-every" data-value=${c} @change=${e=>this.#l({everyWeeks:Number(n(e))})}>
          ${ze.map(e=>_`<option value=${e}>${e?s.weeks(e):s.none}</option>`)}
        </select>
      </div>
      ${c?_`<div class="columns">
              <div class="field">
                <label for="series-ends">${s.ends}</label>
                <select id="series-ends" data-value=${l} @change=${e=>this.#c(n(e),g)}>
                  <option value="count">${s.byCount}</option>
                  <option value="until">${s.byDate}</option>
                </select>
              </div>
              ${l===`count`?_`<div class="field">
                    <label for="series-count">${s.count}</label>
                    <input
                      id="series-count"
                      type="number"
                      inputmode="numeric"
                      min=${2}
                      max=${52}
                      .value=${Number.isNaN(u)?``:String(u)}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @input=${e=>this.#l({count:parseInt(n(e),10)})}
                    />
                  </div>`:_`<div class="field">
                    <label for="series-until">${s.until}</label>
                    <input
                      id="series-until"
                      type="date"
                      min=${a(g,7*c)}
                      max=${a(g,7*c*51)}
                      .value=${f}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @change=${e=>this.#l({until:n(e)})}
                    />
                  </div>`}
            </div>
            ${i(`series-error`,h?[s[h]]:void 0)}
            <label class="check"
              ><input type="checkbox" .checked=${p} @change=${()=>this.store.update({skip:!p})} />
              <span>${s.skip}<br /><small class="muted">${s.skipHint}</small></span></label
            >
            ${this.#i(Y(t.state,m,o))}`:b}
    </fieldset>`}renderResult(e){let{context:n}=this,i=this.words(),a=r(n,e.made.length,i.plurals.dates),o=e.made.every(e=>e.sessionId===null);return _`<section class="series" part="series">
      <h3>${o?i.repeat.requested(a):i.repeat.made(a)}</h3>
      <ul class="dates" tabindex="0" aria-label=${i.series.dates}>
        ${e.made.map(({startTime:e})=>_`<li>${this.#a(Date.parse(e))}</li>`)}
      </ul>
      ${e.skipped.length?_`<h3>${i.repeat.skipped}</h3>
            <ul class="dates" tabindex="0" aria-label=${i.repeat.skipped}>
              ${e.skipped.map(({startTime:e,code:r,message:i})=>_`<li>
                    ${this.#a(Date.parse(e))}
                    <small class="muted">${this.#s(e,r)??s(n.words,new t(409,r,i))}</small>
                  </li>`)}
            </ul>`:b}
      ${o&&n.store.state.submission.kind===`requested`?this.#n(e):b}
    </section>`}#n(e){let t=this.words(),{isWithdrawing:n,error:i}=this.store.state;return _`<div class="actions">
        <button
          part="button"
          aria-disabled=${n?`true`:b}
          @click=${()=>n||this.#r(e)}
        >
          ${n?t.working:t.repeat.withdrawAll(r(this.context,e.made.length,t.plurals.requests))}
        </button>
      </div>
      ${i?o(`danger`,t.problems[i.code]??s(this.context.words,i)):b}`}async#r({id:e,made:n}){let{client:r,flow:i,store:a}=this.context,{submission:o}=a.state;if(o.kind===`requested`){this.store.update({isWithdrawing:!0,error:null});try{let t={from:n[0]?.startTime,reason:this.words().repeat.withdrawn},a=`/series/${e}/cancel`;await this.#e.send(a,t,e=>r.post(a,t,{key:e})),i.bookingChanged(await r.get(`/bookings/${o.booking.id}`))}catch(e){this.store.update({error:t.ofPage(e)})}this.store.update({isWithdrawing:!1})}}#i(e){if(!e.length)return b;let{context:t}=this,n=this.words(),i=e.map(t=>this.#o(t,e)),a=i.filter(e=>e===`free`).length,o=!i.includes(`checking`);return _`<div class="field">
      <span id="series-dates">${n.series.dates}</span>
      <p class="muted" role="status">${o?r(t,a,n.plurals.freeDates):n.repeat.checking}</p>
      <ul class="dates" tabindex="0" aria-labelledby="series-dates">
        ${e.map((e,t)=>{let r=i[t]??`unknown`;return _`<li class=${Q(r)?`taken`:r}>
            ${this.#a(e.start)} <small>${$(n,r)}</small>
          </li>`})}
      </ul>
    </div>`}#a(e){return c({locale:D(this.context),zone:this.context.store.state.zone},e)}#o({start:e,exists:t},n){if(!t)return`no_such_time`;let r=e===n[0]?.start?`free`:this.store.state.checks.get(e)??`checking`,i=this.context.store.state.listing?.bookingMode===`request`;return r===`busy`&&i?`requested`:r}#s(e,t){let n=this.store.state.checks.get(Date.parse(e)),r=Be[t],i=r?.find(e=>e===n)??r?.[0];return i&&$(this.words(),i)}#c(e,t){let{everyWeeks:n,count:r,until:i}=this.store.state;if(e===`count`)return this.#l({ends:e});let o=a(t,7*n*(Math.max(r||2,2)-1));this.#l({ends:`until`,until:i||o})}#l(e){this.store.update(e),this.#u()}async#u(){let e=this.#t.next(),{slot:t,zone:n}=this.context.store.state;if(!t)return;let r=Y(this.store.state,Date.parse(t.startTime),n).slice(1).filter(({start:e,exists:t})=>t&&!this.store.state.checks.has(e));await le(r,Le,async({start:t})=>{let n=e.aborted?`unknown`:await this.#d(t,e).catch(()=>`unknown`);e.aborted||this.store.update(({checks:e})=>({checks:new Map([...e,[t,n]])}))})}async#d(e,t){let{client:n,store:r}=this.context,{zone:i,slotMentorId:a,mentorId:o}=r.state,s=g(r.state);if(!s)return`unknown`;let c={...s.query,from:new Date(e).toISOString(),to:new Date(e+Re).toISOString(),stepMinutes:5,timeZone:i,explain:!0},{items:l,refused:u=[]}=await n.get(s.path,c,{open:!0,signal:t}),d=a??o,f=e=>!d||e.includes(d);return l.some(t=>Date.parse(t.startTime)===e&&f(t.mentorProfileIds))?`free`:u.find(t=>Date.parse(t.startTime)===e&&f([t.mentorProfileId]))?.reason??`unknown`}};function Q(e){return![`free`,`checking`,`unknown`,`requested`].includes(e)}function $({repeat:e,refused:t},n){switch(n){case`checking`:return e.checking;case`free`:case`unknown`:return e[n];case`requested`:return e.takenRequest;case`no_such_time`:return e.noSuchTime;default:return e.taken(t.reasons[n])}}var He={repeat:{title:`Repeat`,none:`Does not repeat`,weeks:e=>e===1?`Every week`:`Every ${e} weeks`,ends:`Ends`,byCount:`After a number of sessions`,byDate:`On a date`,count:`Number of sessions`,until:`Last date`,skip:`Leave out dates that are not free`,skipHint:`Otherwise nothing is booked if one of them is not free.`,checking:`Checking …`,free:`free`,taken:e=>`not free: ${e}`,takenRequest:`taken, but requested all the same`,unknown:`checked when you book`,noSuchTime:`the clocks skip this time`,tooMany:`A series has at most 52 sessions. Please choose an earlier last date.`,tooFew:`Please choose a last date after the first session.`,badCount:`Please enter a number from 2 to 52.`,made:e=>`Booked: ${e}`,requested:e=>`Requested: ${e}`,skipped:`Left out`,withdrawAll:e=>`Withdraw all ${e}`,withdrawn:`The requests were withdrawn.`},refused:{title:`Why are other times not offered?`,reasons:{beyond_horizon:`too far ahead to be booked yet`,too_soon:`too soon to be booked`,time_off:`the coach is away`,outside_hours:`outside the coach's hours`,busy:`already taken`,limit:`the coach has enough sessions then`}},availability:{next:e=>`Next free time: ${e}`,none:`No free time at present`},groups:{title:`Group sessions`,full:`Full`,joined:`You have a place`,unpaid:`A place is kept for you until you have paid`,paid:`Your payment has arrived: you have a place.`,lapsed:`Your payment did not arrive in time, so that the place is free again.`,kept:`A place is kept for you`,waiting:e=>`You are number ${e} on the waiting list`,more:`Show more`,join:`Take a place`,takeKept:`Take the place`,keptUntil:e=>`It is kept for you until ${e}.`,decline:`Decline the place`,wait:`Join the waiting list`,waitHint:`When a place becomes free, it is kept for the first in line, who is notified.`,unwait:`Leave the waiting list`,unwaitHint:`You lose your place in line.`,stopped:`You are not on the waiting list any more.`,payment:`Payment`,credits:{one:`{n} session left`,other:`{n} sessions left`},labelFor:(e,t)=>`${e}: ${t}`,byBundle:e=>`Bundle: ${e}`,validUntil:e=>`valid until ${e}`,freeUntil:e=>`You can give it up free of charge until ${e}.`,feeAfter:e=>`After that, ${e} of the price is due.`,lateFee:e=>`If you give it up, ${e} of the price is due.`,lateCredit:`Of a bundle, the session is used up then.`,alwaysFree:`You can give it up free of charge until it begins.`,noLeaving:`You cannot give up the place yourself once you have it.`,done:`You have a place.`,problems:{group_full:`All places have been taken meanwhile.`,already_joined:`You have a place already.`,seats_free:`There are free places again: you can take one.`,no_offer:`The place is not kept for you any more.`,invalid_transition:`The session has begun, or was cancelled.`,not_found:`This group could not be found any more.`,slot_taken:`You already have a session at this time.`,bundle_unusable:`This bundle cannot pay for it.`,not_cancellable:`You cannot give up the place yourself.`}}},Ue=class{#e;#t;constructor(e,t){this.context=e,this.refused={render:e=>this.#n(e)},this.#t=new x({isOpen:!1,part:null,error:null});let{element:n,signal:r}=e;this.#e=()=>se(He,t()),u(n,r,me),this.series=new Ve(e,this.#e),this.groups=new _e(e,this.#e),w(n,r,this.series.store,this.#t,this.groups.store)}#n(e){let{context:n}=this,{isOpen:r,part:i,error:a}=this.#t.state,o=async({target:r})=>{let a=r;if(a.open!==this.#t.state.isOpen&&(this.#t.update({isOpen:a.open,error:null}),a.open)){try{let{RefusedTimes:t}=await import(`./refused-CtOGzyXx.js`),r=i??new t(n,this.#e);await r.load(e),this.#t.update({part:r})}catch{this.#t.update({error:t.ofPart()})}await n.element.updateComplete,a.scrollIntoView({block:`nearest`})}},c=_`<p class="muted">${a?s(n.words,a):n.words.loading}</p>`;return _`<details class="refused" part="refused" ?open=${r} @toggle=${o}>
      <summary>${this.#e().refused.title}</summary>
      <div aria-live="polite">${r?i?.render(e)??c:b}</div>
    </details>`}renderAvailability(){return pe(this.context,this.#e(),D(this.context))}renderGroups(){return Te(this.groups,D(this.context))}};export{Ue as BookingExtras};