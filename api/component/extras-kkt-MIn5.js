import{ApiError as e,B as t,C as n,E as r,G as i,H as a,I as o,J as s,L as c,N as l,P as u,Q as d,R as f,V as p,X as m,Y as h,_ as g,a as _,b as v,d as y,f as ee,h as b,i as x,n as te,q as S,t as C,u as w,x as T}from"./session-booking.js";import{Keys as E,a as ne,creditText as re,i as D,mapSome as ie,r as O,renderPartForm as ae}from"./enhanced-BZGd4bpK.js";var oe=7;function se(e,t){let{calendar:n,mentorId:r,zone:i}=e;if(!n.to||n.error||n.isLoading&&!n.slots.length)return null;let o=w(n.slots,r,t),s=a(l(u(t,i),oe),i);return{next:o[0]?y(o[0]):null,inWeek:n.to>=s?o.filter(e=>y(e)<s).length:null}}function ce(e,n,r,i){let a=(Date.parse(u(e,i))-Date.parse(u(n,i)))/864e5;return a<0||a>1?t(r,{weekday:`short`,day:`numeric`,month:`short`,hour:`numeric`,minute:`2-digit`,timeZone:i}).format(e):`${new Intl.RelativeTimeFormat(r,{numeric:`auto`}).format(a,`day`)}, ${f(e,r,i)}`}function le(e,t,n){let{state:r}=e.store,i=Date.now(),a=se(r,i);if(!a)return S;let{next:o,inWeek:s}=a;return o===null?h`<span class="availability none" part="availability">${t.availability.none}</span>`:h`<span class="availability" part="availability"
      >${t.availability.next(ce(o,i,n,r.zone))}</span
    >
    ${s?h`<span class="muted">${b(e,s,t.plurals.weekly)}</span>`:S}`}var k=d`
  .refused ul {
    margin-block-start: 6px;
    display: grid;
    gap: 4px;
    font-size: 0.92em;
  }
  .refused li {
    display: flex;
    flex-wrap: wrap;
    gap: 0 10px;
  }
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
`,A=20,ue=6e4,de=1e3,[j,M]=[`join`,`waitlist/accept-offer`];function N(e,t=!1){return e.joined?`joined`:e.waitlistPosition===null?t?`own`:e.full?`full`:`open`:e.waitlistPosition<=e.seatsOffered?`kept`:`waiting`}var fe=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new C({groups:null,hasMore:!1,bundles:[],quotes:new Map,keptUntil:new Map,busy:null,done:null,failure:null}),this.isAsked=!1,this.#t=A,this.#n=0,this.#e=new E(e.client);let n=()=>{!document.hidden&&this.isAsked&&Date.now()-this.#n>ue&&this.readAgain()};document.addEventListener(`visibilitychange`,n,{signal:e.signal}),addEventListener(`online`,n,{signal:e.signal})}ask(){!this.isAsked&&this.context.client.tokens.canSignIn&&(this.isAsked=!0,queueMicrotask(()=>this.readAgain()))}sessionChanged(e){this.store.state.groups?.some(t=>t.id===e.bookingId)&&this.readAgain()}isOwn(e){let{subject:t}=this.context.client.tokens,{offers:n}=this.context.store.state;return n.some(({mentor:n})=>n.id===e.mentorProfileId&&n.userId===t)}bundlesFor({courseId:e,durationMinutes:t}){return this.store.state.bundles.filter(n=>n.courseId===e&&(n.durationMinutes??t)===t)}readAgain(){this.store.state.busy||this.#o().catch(()=>void 0)}showMore(){this.#t+=A,this.readAgain()}look(e){let t=N(e);(t===`joined`?this.#c(e):t===`kept`?this.#l(e):null)?.catch(t=>this.#m(e,t))}join(e,t){return this.#r(e,`join`,j,t)}accept(e,t){return this.#r(e,`accept`,M,t)}wait(e){return this.#d(e,`wait`,async()=>{let{position:t}=await this.#u(`${P(e)}/waitlist`,{});return this.words().groups.waiting(t)})}unwait(e){return this.#d(e,`unwait`,async()=>{let t={method:`DELETE`,key:crypto.randomUUID(),signal:this.context.signal};return await this.context.client.request(`${P(e)}/waitlist`,t),this.words().groups.stopped})}leave(t,n){return this.#d(t,`leave`,async()=>{let r=await this.#c(t);if(r.fee.amount>n.fee.amount||n.creditReturned===!0&&!r.creditReturned||!r.allowed)throw e.ofPage(this.words().cancelling.costChanged);let i=await this.#a(t);return await this.#u(F(t),{}),this.context.emit(`cancelled`,{session:i}),this.words().done.leave})}#r(e,t,n,r){return this.#d(e,t,async()=>{let t={...r?{bundlePurchaseId:r}:{expectedPrice:e.price},expectedCancellation:e.cancellationPolicy};return await this.#i(await this.#u(`${P(e)}/${n}`,t)),this.words().groups.done})}async#i(e){let t=await this.#a(e).catch(()=>null);t&&this.context.emit(`booked`,{booking:e,session:t})}async#a({sessionId:t}){let{signal:n}=this.context;for(;;)try{return await this.context.client.get(`/sessions/${t}`,{},{signal:n})}catch(t){if(!(t instanceof e)||t.code!==`session_pending`)throw t;await i(t.retryAfter?t.retryAfter*1e3:de,n)}}async#o(){let{client:e,options:t,signal:n,store:r}=this.context,{course:i,offers:a}=r.state,o=t.mentorId??(i?null:a[0]?.mentor.id),s=[],c=null,l=Date.now();do{let r={courseId:t.courseId,mentorProfileId:o,limit:A,cursor:c},i=await e.get(`/group-sessions`,r,{signal:n});s.push(...i.items),c=i.nextCursor}while(c&&s.length<this.#t);this.#n=l;let u=s.filter(e=>!e.cancelledAt);if(this.store.update({groups:u,hasMore:c!==null}),this.#s(u),!u.some(e=>e.courseId&&!e.joined))return;let d=await e.get(`/bundles`,{limit:100},{signal:n});this.store.update({bundles:d.items.filter(e=>e.status===`active`)})}#s(e){for(let t of e){if(!t.joined){this.#e.forget(F(t));continue}let e=[j,M].map(e=>`${P(t)}/${e}`).filter(e=>this.#e.isOpen(e));for(let t of e)this.#e.forget(t);e.length&&this.#i(t)}}async#c(e){let t=`/sessions/${e.sessionId}/cancellation-quote`,n=await this.context.client.get(t,{},{signal:this.context.signal});return this.store.update(({quotes:t})=>({quotes:new Map([...t,[e.id,n]])})),n}async#l(e){let{signal:t}=this.context;if(N(await this.context.client.get(P(e),{},{signal:t}))!==`kept`)return this.readAgain();let{offer:n}=await this.#u(`${P(e)}/waitlist`,{});if(!n)return this.readAgain();this.store.update(({keptUntil:t})=>({keptUntil:new Map([...t,[e.id,n.expiresAt]])}))}#u(e,t){let{signal:n}=this.context;return this.#e.send(e,t,r=>this.context.client.post(e,t,{key:r,signal:n}))}async#d(e,t,n){if(this.store.state.busy)return;let{id:r}=e;this.store.update({busy:{id:r,action:t},done:null,failure:null});let i=null;try{i=await n()}catch(t){if(this.context.signal.aborted)return;this.#m(e,t)}await this.#o().catch(()=>void 0),this.context.signal.aborted||(this.store.update({busy:null,...i&&{done:{id:r,sentence:i}}}),i&&(this.context.announce(i),await this.#f(r),t!==`wait`&&t!==`unwait`&&this.context.store.state.calendar.to&&this.context.flow.reloadSlots()))}async#f(e){let{element:t}=this.context;await t.updateComplete;let n=t.shadowRoot;n?.activeElement||n?.querySelector(`[data-group="${CSS.escape(e)}"]`)?.focus()}#p(e,{price:t,cancellation:n}){let r=t?{price:t}:{cancellationPolicy:n??null};this.store.update(({groups:t})=>({groups:t&&t.map(t=>t.id===e?{...t,...r}:t)}))}#m({id:t},n){if(this.context.signal.aborted)return;let r=e.ofPage(n);r.presentTerms&&this.#p(t,r.presentTerms),r.code!==`page`&&(this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`book`})),this.store.update({failure:{id:t,error:r}})}};function P({id:e}){return`/group-sessions/${e}`}function F(e){return`${P(e)}/leave`}var pe={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},me=e=>(...t)=>({_$litDirective$:e,values:t}),he=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I}=m,L=e=>e,R=()=>document.createComment(``),z=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new I(r.insertBefore(R(),i),r.insertBefore(R(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=L(e).nextSibling;L(r).insertBefore(e,i),e=t}}}return n},B=(e,t,n=e)=>(e._$AI(t,n),e),ge={},_e=(e,t=ge)=>e._$AH=t,ve=e=>e._$AH,V=e=>{e._$AR(),e._$AA.remove()},H=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},ye=me(class extends he{constructor(e){if(super(e),e.type!==pe.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=ve(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let c=this.ut??=[],l=[],u,d,f=0,p=i.length-1,m=0,h=a.length-1;for(;f<=p&&m<=h;)if(i[f]===null)f++;else if(i[p]===null)p--;else if(c[f]===o[m])l[m]=B(i[f],a[m]),f++,m++;else if(c[p]===o[h])l[h]=B(i[p],a[h]),p--,h--;else if(c[f]===o[h])l[h]=B(i[f],a[h]),z(e,l[h+1],i[f]),f++,h--;else if(c[p]===o[m])l[m]=B(i[p],a[m]),z(e,i[f],i[p]),p--,m++;else if(u===void 0&&(u=H(o,m,h),d=H(c,f,p)),u.has(c[f])){if(u.has(c[p])){let t=d.get(o[m]),n=t===void 0?null:i[t];if(n===null){let t=z(e,i[f]);B(t,a[m]),l[m]=t}else l[m]=B(n,a[m]),z(e,i[f],n),i[t]=null;m++}else V(i[p]),p--}else V(i[f]),f++;for(;m<=h;){let t=z(e,l[h+1]);B(t,a[m]),l[m++]=t}for(;f<=p;){let e=i[f++];e!==null&&V(e)}return this.ut=o,_e(e,l),s}}),be=36e5;function U(e,t){e.ask();let{groups:n,hasMore:r}=e.store.state;if(!n?.length)return S;let i=e.words(),{zone:a}=e.context.store.state;return h`<section class="groups" part="groups" aria-labelledby="groups-title">
    <h3 id="groups-title">${i.groups.title}</h3>
    <ul>
      ${ye(n,({id:e})=>e,n=>xe({groups:e,group:n,words:i,locale:t,zone:a}))}
    </ul>
    ${r?h`<div><button type="button" part="button" @click=${()=>e.showMore()}>${i.groups.more}</button></div>`:S}
  </section>`}function xe(e){let{groups:t,group:n,words:r,locale:i,zone:a}=e,{failure:o,done:s}=t.store.state,l=N(n,t.isOwn(n)),u=c(Date.parse(n.startTime),Date.parse(n.endTime),i,a),d=[n.mentor?.name,O({words:r,locale:i},n.price),Se(e,l)];return h`<li class="group" data-group=${n.id} tabindex="-1" aria-label=${`${n.title??r.details.group}, ${u}`}>
    <b>${n.title??r.details.group}</b>
    <span>${u}</span>
    <span class="muted">${d.filter(Boolean).join(` · `)}</span>
    ${s?.id===n.id?h`<p class="message" part="message">${s.sentence}</p>`:S}
    ${Ce(e,l,u)}
    ${o?.id===n.id?v(`danger`,De(e,o.error)):S}
  </li>`}function Se({groups:e,group:t,words:n},r){let i=t.capacity-t.seatsTaken-t.seatsOffered;switch(r){case`joined`:return n.groups.joined;case`kept`:return n.groups.kept;case`waiting`:return n.groups.waiting(t.waitlistPosition??0);default:return t.full?n.groups.full:b(e.context,i,n.plurals.places)}}function Ce(e,t,n){let{groups:r,group:i,words:a}=e,o=h`<span class="visually-hidden">(${n})</span>`,s=e=>{e.target.open&&r.look(i)};switch(t){case`joined`:return h`<details class="leave" @toggle=${s}>
        <summary>${a.leave} ${o}</summary>
        ${Ee(e)}
      </details>`;case`kept`:return h`<details class="kept" @toggle=${s}>
        <summary>${a.groups.takeKept} ${o}</summary>
        ${we(e)}
      </details>`;case`waiting`:return h`<details class="waiting">
        <summary>${a.groups.unwait} ${o}</summary>
        ${G(e,`unwait`,a.groups.unwait,()=>r.unwait(i),h`<p class="muted">${a.groups.unwaitHint}</p>`)}
      </details>`;case`full`:return h`<details class="full">
        <summary>${a.groups.wait} ${o}</summary>
        ${G(e,`wait`,a.groups.wait,()=>r.wait(i),h`<p class="muted">${a.groups.waitHint}</p>`)}
      </details>`;case`open`:return h`<details class="join">
        <summary>${a.groups.join} ${o}</summary>
        ${W(e,`join`,a.groups.join,e=>r.join(i,e))}
      </details>`;default:return S}}function we(e){let{groups:t,group:n,words:r,locale:i,zone:a}=e,o=t.store.state.keptUntil.get(n.id),s=t.store.state.busy;return h`${o?h`<p role="status">${r.groups.keptUntil(T({locale:i,zone:a},Date.parse(o)))}</p>`:S}
    ${W(e,`accept`,r.groups.takeKept,e=>t.accept(n,e))}
    <div class="actions">
      <button type="button" part="button" aria-disabled=${s?`true`:S} @click=${()=>t.unwait(n)}>
        ${s?.id===n.id&&s.action===`unwait`?r.working:r.groups.decline}
      </button>
    </div>`}function W(e,n,r,i){let{groups:a,group:o,words:s,locale:c}=e,l=O({words:s,locale:c},o.price),u=a.bundlesFor(o),d=n=>t(c,{timeZone:e.zone,dateStyle:`medium`}).format(Date.parse(n)),f=[...u.map(({id:e,remainingSessions:t,validTo:n})=>{let r=s.groups.byBundle(b(a.context,t,s.groups.credits));return{id:e,name:n?`${r}, ${s.groups.validUntil(d(n))}`:r}}),{id:``,name:l}];return G(e,n,u.length?r:s.groups.labelFor(r,l),e=>i(String(e.get(`bundle`)??``)),h`
    <p class="muted">${Te(e,u.length>0)}</p>
    ${u.length?h`<label class="field"
          ><span>${s.groups.payment}</span>
          <select name="bundle">
            ${f.map(({id:e,name:t})=>h`<option value=${e}>${t}</option>`)}
          </select></label
        >`:S}
  `)}function Te({group:e,words:t,locale:n,zone:r},i){let{groups:a}=t,o=e.cancellationPolicy;if(!o)return a.noLeaving;let s=!e.price.amount&&!i;if(!o.lateFeePercent||s)return a.alwaysFree;let c=Date.parse(e.startTime)-o.windowHours*be,l=new Intl.NumberFormat(n,{style:`percent`}).format(o.lateFeePercent/100),u=c>Date.now()?`${a.freeUntil(T({locale:n,zone:r},c))} ${a.feeAfter(l)}`:a.lateFee(l);return i?`${u} ${a.lateCredit}`:u}function Ee(e){let{groups:t,group:n,words:r,locale:i}=e,a=t.store.state.quotes.get(n.id);if(!a)return h`<p role="status">${r.cancelling.loading}</p>`;if(!a.allowed)return h`<p>${r.groups.noLeaving}</p>`;let{fee:o,refund:s}=a,c=[`${o.amount?`${r.cancelling.fee}: ${O({words:r,locale:i},o)}`:r.cancelling.noFee}.`,s.amount?`${r.cancelling.refund}: ${O({words:r,locale:i},s)}.`:``,re(e,a)],l=h`<p role="status">${c.filter(Boolean).join(` `)}</p>`;return G(e,`leave`,r.cancelling.confirmLeave,()=>t.leave(n,a),l)}function G({groups:e,group:t,words:n},r,i,a,o){let{busy:s}=e.store.state,c=s?.id===t.id&&s.action===r?n.working:i;return ae({content:o,confirm:c,isBusy:s!==null,submit:a})}function De({groups:e,words:t},n){return n.code===`page`?n.message:t.groups.problems[n.code]??t.problems[n.code]??g(e.context.words,n)}var Oe=1e4,K=[`busy`,`limit`,`time_off`,`too_soon`,`beyond_horizon`,`outside_hours`];function ke({items:e,refused:t=[]},n){let r=new Map;for(let{startTime:e,mentorProfileId:i,reason:a}of t){if(n&&i!==n)continue;let t=Date.parse(e),o=r.get(t);(!o||K.indexOf(a)<K.indexOf(o))&&r.set(t,a)}for(let{startTime:t,mentorProfileIds:i}of e)(!n||i.includes(n))&&r.set(Date.parse(t),null);let i=[],a=null;for(let[e,t]of[...r].sort(([e],[t])=>e-t)){let n=i.at(-1);n&&t!==null&&t===a?n.to=e:t!==null&&i.push({from:e,to:e,reason:t}),a=t}return i}var Ae=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new C({isOpen:!1,key:``,ranges:null,isStale:!1,error:null}),this.#t=null,this.#n=0,this.#e=new _(e.signal)}render(e){let{isOpen:t,key:n}=this.store.state,r=this.words(),{slots:i}=this.context.store.state.calendar,a=i!==this.#t&&Date.now()>this.#n+Oe;return t&&(a||n!==this.#i(e))&&queueMicrotask(()=>void this.#a(e)),h`<details class="refused" part="refused" ?open=${t} @toggle=${async({target:t})=>{let n=t;n.open!==this.store.state.isOpen&&(this.store.update({isOpen:n.open}),n.open&&(await this.#a(e),await this.context.element.updateComplete,n.scrollIntoView({block:`nearest`})))}}>
      <summary>${r.refused.title}</summary>
      <div aria-live="polite">${t?this.#r(r):S}</div>
    </details>`}#r({refused:e}){let{ranges:n,isStale:r,error:i}=this.store.state;if(i)return h`<p class="error">${e.failed}</p>`;if(!n)return h`<p class="muted">${this.context.words.loading}</p>`;if(!n.length)return h`<p class="muted">${e.none}</p>`;let a={timeZone:this.context.store.state.zone,hour:`numeric`,minute:`2-digit`},s=t(D(this.context.options.locale),a),c=({reason:t,from:n})=>t===`too_soon`&&n<Date.now()?e.past:e.reasons[t];return h`<p class="muted">${r?e.stale:e.starts}</p>
      <ul>
        ${n.map(e=>h`<li><b>${e.from===e.to?s.format(e.from):o(s,e.from,e.to)}</b>
              <span class="muted">${c(e)}</span></li>`)}
      </ul>`}#i(e){let{zone:t,mentorId:n,listing:r,durationMinutes:i}=this.context.store.state;return[e,t,n,r?.id,i].join()}async#a(t){let{client:n,store:r}=this.context,{zone:i,mentorId:o,calendar:s}=r.state,c=x(r.state),u=this.#i(t);if(!c||this.store.state.key===u&&this.#t===s.slots)return;let d=this.#e.next();this.#t=s.slots,this.#n=Date.now(),this.store.update(({key:e,ranges:t})=>({key:u,ranges:e===u?t:null,error:null}));let f={...c.query,from:new Date(a(t,i)).toISOString(),to:new Date(a(l(t,1),i)).toISOString(),timeZone:i,explain:!0};try{let e=await n.get(c.path,f,{open:!0,signal:d}),t=ke(e,o);this.store.update({ranges:t,isStale:!!e.staleCalendars?.length&&!e.items.length})}catch(t){d.aborted||this.store.update({error:e.ofPage(t)})}}},q=864e5,je={everyWeeks:0,ends:`count`,count:4,until:``,skip:!0};function Me(e){let{everyWeeks:t,ends:n,count:r,until:i,skip:a}=e;return t?{...n===`count`?{count:r}:{until:i},everyWeeks:t,onConflict:a?`skip`:`fail`}:null}function J(e,t,n){if(!e.everyWeeks)return null;let r=X(e,u(t,n)),i=!(r>=2&&r<=52);return e.ends===`count`?i||!Number.isInteger(r)?`badCount`:null:i?r>52?`tooMany`:`tooFew`:null}function Y(e,t,n){if(!e.everyWeeks||J(e,t,n))return[];let r=u(t,n),i=t+p(t,n)-Date.parse(`${r}T00:00:00Z`);return Array.from({length:X(e,r)},(a,o)=>o===0?{start:t,exists:!0}:Ne(l(r,o*7*e.everyWeeks),i,n))}function X({ends:e,count:t,until:n,everyWeeks:r},i){if(e===`count`)return t;let a=(Date.parse(`${n}T00:00:00Z`)-Date.parse(`${i}T00:00:00Z`))/q;return Math.floor(a/(7*r))+1}function Ne(e,t,n){let r=Date.parse(`${e}T00:00:00Z`)+t,i=[p(r-q,n),p(r+q,n)],a=i.map(e=>r-e).filter(e=>e+p(e,n)===r);return a.length?{start:Math.min(...a),exists:!0}:{start:r-(i[0]??0),exists:!1}}var Pe=3,Fe=6e4,Ie=[0,1,2,3,4],Le={slot_taken:[`busy`],outside_hours:[`outside_hours`,`time_off`],too_soon:[`too_soon`],beyond_horizon:[`beyond_horizon`],booking_limit:[`limit`],no_such_time:[`no_such_time`]},Z={...je,isWithdrawing:!1,error:null,checks:new Map},Re=class{#e;#t;constructor(e,t){this.context=e,this.words=t,this.store=new C(Z),this.#e=new E(e.client),this.#t=new _(e.signal),e.store.subscribe((e,t)=>{(e.slot!==t.slot||e.zone!==t.zone||e.slotMentorId!==t.slotMentorId)&&(this.store.update(e.slot?{checks:new Map}:Z),this.#u())},e.signal)}recurrence(){return Me(this.store.state)}sessions(){let{slot:e,zone:t}=this.context.store.state,n=e?Y(this.store.state,Date.parse(e.startTime),t):[],{skip:r}=this.store.state,i=n.filter(e=>!r||!Q(this.#o(e,n)));return Math.max(i.length,1)}hasMistake(){let{slot:e,zone:t}=this.context.store.state;return e!==null&&J(this.store.state,Date.parse(e.startTime),t)!==null}render(){let{context:e,store:t}=this,{slot:i,zone:a}=e.store.state;if(!i)return S;let{repeat:o}=this.words(),{everyWeeks:s,ends:c,count:d,until:f,skip:p}=t.state,m=Date.parse(i.startTime),g=J(t.state,m,a),_=u(m,a),v=g?`true`:`false`;return h`<fieldset class="fields series" part="series">
      <legend class="visually-hidden">${o.title}</legend>
      <div class="field">
        <label for="series-every">${o.title}</label>
        <select id="series-every" data-value=${s} @change=${e=>this.#l({everyWeeks:Number(r(e))})}>
          ${Ie.map(e=>h`<option value=${e}>${e?o.weeks(e):o.none}</option>`)}
        </select>
      </div>
      ${s?h`<div class="columns">
              <div class="field">
                <label for="series-ends">${o.ends}</label>
                <select id="series-ends" data-value=${c} @change=${e=>this.#c(r(e),_)}>
                  <option value="count">${o.byCount}</option>
                  <option value="until">${o.byDate}</option>
                </select>
              </div>
              ${c===`count`?h`<div class="field">
                    <label for="series-count">${o.count}</label>
                    <input
                      id="series-count"
                      type="number"
                      inputmode="numeric"
                      min=${2}
                      max=${52}
                      .value=${Number.isNaN(d)?``:String(d)}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @input=${e=>this.#l({count:parseInt(r(e),10)})}
                    />
                  </div>`:h`<div class="field">
                    <label for="series-until">${o.until}</label>
                    <input
                      id="series-until"
                      type="date"
                      min=${l(_,7*s)}
                      max=${l(_,7*s*51)}
                      .value=${f}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @change=${e=>this.#l({until:r(e)})}
                    />
                  </div>`}
            </div>
            ${n(`series-error`,g?[o[g]]:void 0)}
            <label class="check"
              ><input type="checkbox" .checked=${p} @change=${()=>this.store.update({skip:!p})} />
              <span>${o.skip}<br /><small class="muted">${o.skipHint}</small></span></label
            >
            ${this.#i(Y(t.state,m,a))}`:S}
    </fieldset>`}renderResult(t){let{context:n}=this,r=this.words(),i=b(n,t.made.length,r.plurals.dates),a=t.made.every(e=>e.sessionId===null);return h`<section class="series" part="series">
      <h3>${a?r.repeat.requested(i):r.repeat.made(i)}</h3>
      <ul class="dates" tabindex="0" aria-label=${r.series.dates}>
        ${t.made.map(({startTime:e})=>h`<li>${this.#a(Date.parse(e))}</li>`)}
      </ul>
      ${t.skipped.length?h`<h3>${r.repeat.skipped}</h3>
            <ul class="dates" tabindex="0" aria-label=${r.repeat.skipped}>
              ${t.skipped.map(({startTime:t,code:r,message:i})=>h`<li>
                    ${this.#a(Date.parse(t))}
                    <small class="muted">${this.#s(t,r)??g(n.words,new e(409,r,i))}</small>
                  </li>`)}
            </ul>`:S}
      ${a&&n.store.state.submission.kind===`requested`?this.#n(t):S}
    </section>`}#n(e){let t=this.words(),{isWithdrawing:n,error:r}=this.store.state;return h`<div class="actions">
        <button
          part="button"
          aria-disabled=${n?`true`:S}
          @click=${()=>n||this.#r(e)}
        >
          ${n?t.working:t.repeat.withdrawAll(b(this.context,e.made.length,t.plurals.requests))}
        </button>
      </div>
      ${r?v(`danger`,t.problems[r.code]??g(this.context.words,r)):S}`}async#r({id:t,made:n}){let{client:r,flow:i,store:a}=this.context,{submission:o}=a.state;if(o.kind===`requested`){this.store.update({isWithdrawing:!0,error:null});try{let e={from:n[0]?.startTime,reason:this.words().repeat.withdrawn},a=`/series/${t}/cancel`;await this.#e.send(a,e,t=>r.post(a,e,{key:t})),i.bookingChanged(await r.get(`/bookings/${o.booking.id}`))}catch(t){this.store.update({error:e.ofPage(t)})}this.store.update({isWithdrawing:!1})}}#i(e){if(!e.length)return S;let{context:t}=this,n=this.words(),r=e.map(t=>this.#o(t,e)),i=r.filter(e=>e===`free`).length,a=!r.includes(`checking`);return h`<div class="field">
      <span id="series-dates">${n.series.dates}</span>
      <p class="muted" role="status">${a?b(t,i,n.plurals.freeDates):n.repeat.checking}</p>
      <ul class="dates" tabindex="0" aria-labelledby="series-dates">
        ${e.map((e,t)=>{let i=r[t]??`unknown`;return h`<li class=${Q(i)?`taken`:i}>
            ${this.#a(e.start)} <small>${$(n,i)}</small>
          </li>`})}
      </ul>
    </div>`}#a(e){let{options:t,store:n}=this.context;return T({locale:D(t.locale),zone:n.state.zone},e)}#o({start:e,exists:t},n){if(!t)return`no_such_time`;let r=e===n[0]?.start?`free`:this.store.state.checks.get(e)??`checking`,i=this.context.store.state.listing?.bookingMode===`request`;return r===`busy`&&i?`requested`:r}#s(e,t){let n=this.store.state.checks.get(Date.parse(e)),r=Le[t],i=r?.find(e=>e===n)??r?.[0];return i&&$(this.words(),i)}#c(e,t){let{everyWeeks:n,count:r,until:i}=this.store.state;if(e===`count`)return this.#l({ends:e});let a=l(t,7*n*(Math.max(r||2,2)-1));this.#l({ends:`until`,until:i||a})}#l(e){this.store.update(e),this.#u()}async#u(){let e=this.#t.next(),{slot:t,zone:n}=this.context.store.state;if(!t)return;let r=Y(this.store.state,Date.parse(t.startTime),n).slice(1).filter(({start:e,exists:t})=>t&&!this.store.state.checks.has(e));await ie(r,Pe,async({start:t})=>{let n=e.aborted?`unknown`:await this.#d(t,e).catch(()=>`unknown`);e.aborted||this.store.update(({checks:e})=>({checks:new Map([...e,[t,n]])}))})}async#d(e,t){let{client:n,store:r}=this.context,{zone:i,slotMentorId:a,mentorId:o}=r.state,s=x(r.state);if(!s)return`unknown`;let c={...s.query,from:new Date(e).toISOString(),to:new Date(e+Fe).toISOString(),stepMinutes:5,timeZone:i,explain:!0},{items:l,refused:u=[]}=await n.get(s.path,c,{open:!0,signal:t}),d=a??o,f=e=>!d||e.includes(d);return l.some(t=>Date.parse(t.startTime)===e&&f(t.mentorProfileIds))?`free`:u.find(t=>Date.parse(t.startTime)===e&&f([t.mentorProfileId]))?.reason??`unknown`}};function Q(e){return![`free`,`checking`,`unknown`,`requested`].includes(e)}function $({repeat:e,refused:t},n){switch(n){case`checking`:return e.checking;case`free`:case`unknown`:return e[n];case`requested`:return e.takenRequest;case`no_such_time`:return e.noSuchTime;default:return e.taken(t.reasons[n])}}var ze={repeat:{title:`Repeat`,none:`Does not repeat`,weeks:e=>e===1?`Every week`:`Every ${e} weeks`,ends:`Ends`,byCount:`After a number of sessions`,byDate:`On a date`,count:`Number of sessions`,until:`Last date`,skip:`Leave out dates that are not free`,skipHint:`Otherwise nothing is booked if one of them is not free.`,checking:`Checking …`,free:`free`,taken:e=>`not free: ${e}`,takenRequest:`taken, but requested all the same`,unknown:`checked when you book`,noSuchTime:`the clocks skip this time`,tooMany:`A series has at most 52 sessions. Please choose an earlier last date.`,tooFew:`Please choose a last date after the first session.`,badCount:`Please enter a number from 2 to 52.`,made:e=>`Booked: ${e}`,requested:e=>`Requested: ${e}`,skipped:`Left out`,withdrawAll:e=>`Withdraw all ${e}`,withdrawn:`The requests were withdrawn.`},refused:{title:`Why are other times not offered?`,starts:`Starting times that cannot be booked:`,none:`All times of this day are offered.`,failed:`The reasons could not be loaded.`,stale:`The coach's own calendar cannot be read at the moment, so that all of these times count as taken.`,past:`over, or too soon to be booked`,reasons:{beyond_horizon:`too far ahead to be booked yet`,too_soon:`too soon to be booked`,time_off:`the coach is away`,outside_hours:`outside the coach's hours`,busy:`already taken`,limit:`the coach has enough sessions then`}},availability:{next:e=>`Next free time: ${e}`,none:`No free time at present`},groups:{title:`Group sessions`,full:`Full`,joined:`You have a place`,kept:`A place is kept for you`,waiting:e=>`You are number ${e} on the waiting list`,more:`Show more`,join:`Take a place`,takeKept:`Take the place`,keptUntil:e=>`It is kept for you until ${e}.`,decline:`Decline the place`,wait:`Join the waiting list`,waitHint:`When a place becomes free, it is kept for the first in line, who is notified.`,unwait:`Leave the waiting list`,unwaitHint:`You lose your place in line.`,stopped:`You are not on the waiting list any more.`,payment:`Payment`,credits:{one:`{n} session left`,other:`{n} sessions left`},labelFor:(e,t)=>`${e}: ${t}`,byBundle:e=>`Bundle: ${e}`,validUntil:e=>`valid until ${e}`,freeUntil:e=>`You can give it up free of charge until ${e}.`,feeAfter:e=>`After that, ${e} of the price is due.`,lateFee:e=>`If you give it up, ${e} of the price is due.`,lateCredit:`Of a bundle, the session is used up then.`,alwaysFree:`You can give it up free of charge until it begins.`,noLeaving:`You cannot give up the place yourself once you have it.`,done:`You have a place.`,problems:{group_full:`All places have been taken meanwhile.`,already_joined:`You have a place already.`,seats_free:`There are free places again: you can take one.`,no_offer:`The place is not kept for you any more.`,invalid_transition:`The session has begun, or was cancelled.`,not_found:`This group could not be found any more.`,slot_taken:`You already have a session at this time.`,bundle_unusable:`This bundle cannot pay for it.`,not_cancellable:`You cannot give up the place yourself.`}}},Be=class{#e;constructor(e,t){this.context=e;let{element:n,signal:r}=e;this.#e=()=>ne(ze,t()),ee(n,r,k),this.series=new Re(e,this.#e),this.refused=new Ae(e,this.#e),this.groups=new fe(e,this.#e),te(n,r,this.series.store,this.refused.store,this.groups.store)}renderAvailability(){return le(this.context,this.#e(),D(this.context.options.locale))}renderGroups(){return U(this.groups,D(this.context.options.locale))}};export{Be as BookingExtras};